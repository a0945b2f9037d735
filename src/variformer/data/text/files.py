"""Text from files of the common kinds, row by row; each document is named by its file and row."""

import logging
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from ...paths import LocalPattern
from .. import paths
from ..cache import digest_of, file_digest
from ..contracts import Split
from .document import Document, documents_of_rows
from .readers import TABLES, Damaged, kind_of, named_rows, open_file, until_damage

log = logging.getLogger(__name__)

_TABLES_VERSION = 1  # count up whenever other rows are read from the same csv or tsv file
KINDS = (".txt", ".jsonl", ".json", *TABLES, ".parquet")


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
        check_delimiter(self.delimiter)

    def read(self) -> dict[Split, Iterator[Document]]:
        return {split: self._documents(split) for split in self._given}

    def fingerprint(self, cache: Path) -> str:
        files = {split: self._files(split) for split in self._given}
        digests = {split: [file_digest(path, cache) for path in paths] for split, paths in files.items()}
        # Suffixes belong to the meaning of the bytes; where the files lie does not.
        kinds = {split: ["".join(path.suffixes[-2:]) for path in paths] for split, paths in files.items()}
        tables = any(kind_of(path) in TABLES for paths in files.values() for path in paths)
        layout = [[_TABLES_VERSION, self.delimiter, self.quoting]] if tables else []
        return digest_of("TextFiles", digests, kinds, self.column, self._separator, *layout)

    def contents(self, cache: Path) -> dict[str, str]:
        return {str(path): file_digest(path, cache) for split in self._given for path in self._files(split)}

    def _documents(self, split: Split) -> Iterator[Document]:
        """Warns of txt files in which the separator does not occur."""
        uncut = []
        for path in self._files(split):
            for document in read_documents(path, self.column, self._separator, self.delimiter, self.quoting):
                if self._separator and document.name == str(path) and document.fault is None:
                    uncut.append(path)
                yield document
        if uncut:
            log.warning(
                "document_separator=%r does not occur in %d %s file(s), each of which is one document (first: %s)",
                *(self._separator, len(uncut), split, uncut[0]),
            )

    @property
    def _given(self) -> tuple[Split, ...]:
        return tuple(split for split, paths in self._paths().items() if paths)

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


def find_files(patterns: Sequence[str]) -> list[Path]:
    """Paths, folders and globs -> the files of text, each once; see `paths.find_files`."""
    return paths.find_files(patterns, lambda path: kind_of(path) in KINDS)


def check_delimiter(delimiter: str | None) -> None:
    """Raises ValueError if it cannot stand between the fields of a table."""
    if delimiter is not None and (len(delimiter) != 1 or delimiter in '"\r\n'):
        raise ValueError(f'delimiter={delimiter!r} must be one sign, such as ";", or "\\t" for a tab')


def read_documents(
    path: Path, column: str, separator: str | None, delimiter: str | None = None, quoting: bool | None = None
) -> Iterator[Document]:
    """The texts of one file. Where it is damaged, the last row has a fault that says so.

    A txt file in which the separator does not occur is one row of the file's own name. Raises ValueError where the kind
    of file is unknown or it has no such column.
    """
    require_kind(path, KINDS)
    if kind_of(path) == ".txt":
        return _marking_damage(path, until_damage(_txt(path, separator)))
    return documents_of_rows(named_rows(path, delimiter, quoting), column)


def require_kind(path: Path, kinds: Sequence[str]) -> None:
    """Raises ValueError if a file is of none of these kinds."""
    if (kind := kind_of(path)) not in kinds:
        known = ", ".join(suffix[1:] for suffix in kinds)
        raise ValueError(
            f"{path}: cannot read {kind or 'a file without a suffix'!r}; known: {known}, each also with .gz"
        )


def _marking_damage(path: Path, rows: Iterator[Document]) -> Iterator[Document]:
    last = None
    try:
        for last in rows:
            yield last
    except Damaged as damage:
        yield Document(f"{last.name} and what follows" if last else str(path), "", str(damage))


def _txt(path: Path, separator: str | None) -> Iterator[Document]:
    with open_file(path) as file:
        if separator is None:
            yield Document(str(path), file.read())
            return
        number, rest, occurs = 0, "", False
        while block := file.read(1 << 20):
            *complete, rest = (rest + block).split(separator)
            occurs = occurs or bool(complete)
            for text in filter(str.strip, complete):
                number += 1
                yield Document(f"{path}:document {number}", text)
        if rest.strip():
            yield Document(f"{path}:document {number + 1}" if occurs else str(path), rest)
