"""Where text comes from: documents, by split, before any cleaning."""

import logging
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, Protocol

from variformer.data.cache import digest_of, file_digest
from variformer.data.text.files import TABLES, find_files, kind_of, read_documents
from variformer.paths import LocalPattern

log = logging.getLogger(__name__)

_TABLES_VERSION = 1  # count up whenever other rows are read from the same csv or tsv file
Split = Literal["train", "val", "test"]
OnDuplicate = Literal["keep", "drop", "error"]  # what becomes of documents or images that occur more than once


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
    """Local files: txt, jsonl, json, csv, tsv and parquet, each also compressed as .gz. Paths may be folders or globs.

    `column` is the field that holds the text, where there are fields. A txt file is one document, unless
    `document_separator` (such as three line ends) cuts it into several. `delimiter` is the sign between the fields of
    csv and tsv files; None: a comma and a tab. With `quoting`, such a field may stand in double quotation marks and
    then hold line ends (RFC 4180); without, a quotation mark is a sign like any other. None: csv has it, and tsv not
    (https://www.iana.org/assignments/media-types/text/tab-separated-values).
    """

    train: LocalPattern | Sequence[LocalPattern]
    validation: LocalPattern | Sequence[LocalPattern] | None = None
    test: LocalPattern | Sequence[LocalPattern] | None = None
    column: str = "text"
    document_separator: str | None = None
    delimiter: str | None = None
    quoting: bool | None = None

    def __post_init__(self) -> None:
        if self.document_separator == "":
            raise ValueError("document_separator is empty; give some signs, or null for one document a file")
        if self.delimiter is not None and (len(self.delimiter) != 1 or self.delimiter in '"\r\n'):
            raise ValueError(f'delimiter={self.delimiter!r} must be one sign, such as ";", or "\\t" for a tab')

    @property
    def given(self) -> tuple[Split, ...]:
        return tuple(split for split, paths in self._paths().items() if paths)

    def fingerprint(self, cache: Path) -> str:
        files = {split: self._files(split) for split in self.given}
        digests = {split: [file_digest(path, cache) for path in paths] for split, paths in files.items()}
        # Suffixes belong to the meaning of the bytes; where the files lie does not.
        kinds = {split: ["".join(path.suffixes[-2:]) for path in paths] for split, paths in files.items()}
        tables = any(kind_of(path) in TABLES for paths in files.values() for path in paths)
        layout = [[_TABLES_VERSION, self.delimiter, self.quoting]] if tables else []
        return digest_of("TextFiles", digests, kinds, self.column, self._separator, *layout)

    def contents(self, cache: Path) -> dict[str, str]:
        return {str(path): file_digest(path, cache) for split in self.given for path in self._files(split)}

    def documents(self, split: Split) -> Iterator[Document]:
        """Warns of txt files in which the separator does not occur."""
        whole = []
        for path in self._files(split):
            for row in read_documents(path, self.column, self._separator, self.delimiter, self.quoting):
                if self._separator and row.name == str(path) and row.fault is None:
                    whole.append(path)
                yield Document(*row)
        if whole:
            log.warning(
                "document_separator=%r does not occur in %d %s file(s), each of which is one document (first: %s)",
                *(self._separator, len(whole), split, whole[0]),
            )

    @property
    def _separator(self) -> str | None:
        """With the line ends that files are read with."""
        separator = self.document_separator
        return separator and separator.replace("\r\n", "\n").replace("\r", "\n")

    def _paths(self) -> dict[Split, str | Sequence[str] | None]:
        return {"train": self.train, "val": self.validation, "test": self.test}

    def _files(self, split: Split) -> list[Path]:
        paths = self._paths()[split] or []
        return find_files([paths] if isinstance(paths, str) else paths)
