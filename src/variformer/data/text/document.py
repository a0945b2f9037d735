"""A document, before any cleaning, and what has documents."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from ..contracts import Source

_MISSING = object()


@dataclass(frozen=True)
class Document:
    """A text and where it came from.

    Bytes that are not UTF-8 are kept as lone surrogates (PEP 383), which the cleaner finds.
    `fault` says why there is no text to use, where the reader knows it (a line that is not JSON, a missing value).
    """

    name: str
    text: str
    fault: str | None = None


class TextSource(Source[Iterable[Document]], Protocol):
    """A source of documents. `read` opens no file before its documents are asked for: there may be too many."""

    def fingerprint(self, cache: Path) -> str:
        """Text that changes whenever the documents do; `cache` remembers hashes of unchanged files."""
        ...

    def contents(self, cache: Path) -> dict[str, str]:
        """What the documents are read from, by name, with a text that changes whenever it does."""
        ...


def documents_of_rows(rows: Iterable[tuple[str, object]], column: str) -> Iterator[Document]:
    """Named rows (dicts; strings; an Exception for a row that cannot be read) -> the texts of one column.

    The first readable row decides whether the column exists; a later row without it is a document with a fault.
    Raises ValueError if there is no such column.
    """
    seen = False
    for where, row in rows:
        if isinstance(row, dict) and column not in row and not seen:
            cure = "Set `column`." if len(row) > 1 else "Set `column`, or the `delimiter` of a csv or tsv file."
            raise ValueError(f"{where}: no column {column!r}; there are: {', '.join(map(str, row))}. {cure}")
        seen = seen or not isinstance(row, Exception)
        value = row.get(column, _MISSING) if isinstance(row, dict) else row
        if isinstance(value, str):
            yield Document(where, value)
        else:
            yield Document(where, "", _fault(value, column))


def _fault(value: object, column: str) -> str:
    if isinstance(value, Exception):
        return str(value)
    if value is _MISSING:
        return f"without column {column!r}"
    return "empty" if value is None else f"not text but {type(value).__name__}"
