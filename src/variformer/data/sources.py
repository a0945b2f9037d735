"""Where text comes from: documents, by split, before any cleaning."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, Protocol

from variformer.data.cache import digest_of, file_digest
from variformer.data.files import find_files, read_documents
from variformer.paths import LocalPattern

Split = Literal["train", "val", "test"]


@dataclass(frozen=True)
class Document:
    """A text and where it came from.

    Bytes that are not UTF-8 are kept as lone surrogates (PEP 383), for the cleaner to see.
    `fault` says why there is no text to use, where the reader already knows (a line that is not JSON, a
    missing value).
    """

    name: str
    text: str
    fault: str | None = None


class Source(Protocol):
    """Something that has documents.

    `given` names the splits that the source itself keeps apart ("train" always among them); the others are
    cut from its training documents.
    """

    @property
    def given(self) -> tuple[Split, ...]: ...

    def fingerprint(self, cache: Path) -> str:
        """Text that changes whenever the documents do; `cache` remembers hashes of unchanged files."""

    def contents(self, cache: Path) -> dict[str, str]:
        """What the documents are read from, by name, with a text that changes whenever it does."""

    def documents(self, split: Split) -> Iterator[Document]: ...


@dataclass(frozen=True)
class TextFiles:
    """Local files: txt, jsonl, json, csv, tsv and parquet, each also compressed as .gz. Paths may be globs.

    `column` is the field that holds the text, where there are fields. A txt file is one document, unless
    `document_separator` (such as three line ends) cuts it into several.
    """

    train: LocalPattern | Sequence[LocalPattern]
    validation: LocalPattern | Sequence[LocalPattern] | None = None
    test: LocalPattern | Sequence[LocalPattern] | None = None
    column: str = "text"
    document_separator: str | None = None

    @property
    def given(self) -> tuple[Split, ...]:
        return tuple(split for split, paths in self._paths().items() if paths)

    def fingerprint(self, cache: Path) -> str:
        digests = {split: [file_digest(path, cache) for path in self._files(split)] for split in self.given}
        # Suffixes belong to the meaning of the bytes; where the files lie does not.
        kinds = {split: ["".join(path.suffixes[-2:]) for path in self._files(split)] for split in self.given}
        return digest_of("TextFiles", digests, kinds, self.column, self.document_separator)

    def contents(self, cache: Path) -> dict[str, str]:
        return {str(path): file_digest(path, cache) for split in self.given for path in self._files(split)}

    def documents(self, split: Split) -> Iterator[Document]:
        for path in self._files(split):
            for name, text, fault in read_documents(path, self.column, self.document_separator):
                yield Document(name, text, fault)

    def _paths(self) -> dict[Split, str | Sequence[str] | None]:
        return {"train": self.train, "val": self.validation, "test": self.test}

    def _files(self, split: Split) -> list[Path]:
        paths = self._paths()[split] or []
        return find_files([paths] if isinstance(paths, str) else paths)
