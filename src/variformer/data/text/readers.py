"""The numbered rows of a file: dicts, strings, or an Exception in place of a row that cannot be read."""

import csv
import gzip
import json
import sys
import zlib
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import IO, Any, Literal, TypeVar

from ...ranges import Count

Rows = Iterator[tuple[int, object]]
RowT = TypeVar("RowT")

LONGEST = 1 << 26  # characters of one csv field: what lies behind an open quotation mark is held in memory
TABLES = {".csv": (",", True), ".tsv": ("\t", False)}  # the delimiter, and whether a field may stand in quotation marks


class Damaged(ValueError):
    """What follows in a file cannot be read."""


class Unreadable(ValueError):
    """A text that is not JSON, and the line where that shows."""

    def __init__(self, reason: str, line: Count = 1) -> None:
        super().__init__(reason)
        self.line = line


def open_file(path: Path, binary: bool = False) -> IO[Any]:
    """UTF-8 with or without a byte order mark; other bytes become lone surrogates instead of an error."""
    opener: Callable[..., IO[Any]] = gzip.open if path.suffix.lower() == ".gz" else open
    if binary:
        return opener(path, "rb")
    return opener(path, "rt", encoding="utf-8-sig", errors="surrogateescape", newline=None)


def until_damage(rows: Iterator[RowT]) -> Iterator[RowT]:
    """The rows of a file. Raises Damaged where its compression or format breaks, not where it may not be opened."""
    try:
        yield from rows
    except (EOFError, zlib.error, OSError, ValueError) as error:
        if getattr(error, "errno", None) is not None:  # of the system; pyarrow's and gzip's own have no number
            raise
        reason = str(error).partition("\n")[0].partition(". ")[0].rstrip(".") or type(error).__name__
        raise Damaged(f"damaged ({reason})") from error


def kind_of(path: Path) -> str:
    """The suffix that says how a file is read, in lower case and without .gz."""
    suffixes = [suffix.lower() for suffix in path.suffixes]
    return suffixes[-2] if len(suffixes) > 1 and suffixes[-1] == ".gz" else path.suffix.lower()


def named_rows(path: Path, delimiter: str | None = None, quoting: bool | None = None) -> Iterator[tuple[str, object]]:
    """("file:line", row) of a file with rows, of a kind in ROW_KINDS. Where it is damaged, the last row is a Damaged.

    `delimiter` and `quoting` are those of csv and tsv files; None: what is usual.
    """
    name = None
    try:
        for number, row in until_damage(_rows(path, delimiter, quoting)):
            name = f"{path}:{number}"
            yield name, row
    except Damaged as damage:
        yield f"{name} and what follows" if name else str(path), damage


def _rows(path: Path, delimiter: str | None, quoting: bool | None) -> Rows:
    kind = kind_of(path)
    if kind not in TABLES:
        return _READERS[kind](path)
    usual = TABLES[kind]
    return table(path, usual[0] if delimiter is None else delimiter, usual[1] if quoting is None else quoting)


def jsonl(path: Path) -> Rows:
    with open_file(path) as file:
        for number, line in enumerate(file, start=1):
            if line.strip():
                yield number, _parsed(line)


def json_list(path: Path) -> Rows:
    """A list of objects or strings, one object, or an object whose only list holds them ({"data": [...]})."""
    with open_file(path) as file:
        content = _parsed(file.read())
    if isinstance(content, Unreadable):
        yield content.line, ValueError(f"{content}; one object a line is .jsonl")
        return
    if isinstance(content, dict):
        lists = [value for value in content.values() if isinstance(value, list)]
        content = lists[0] if len(lists) == 1 else [content]
    yield from enumerate(content if isinstance(content, list) else [content], start=1)


def _parsed(text: str) -> Any:
    try:
        return json.loads(text)
    except RecursionError:
        return Unreadable("JSON that is nested too deep")
    except json.JSONDecodeError as error:
        return Unreadable("not JSON", error.lineno)
    except ValueError:
        return Unreadable("JSON with a number of too many digits")


def parquet(path: Path) -> Rows:
    import pyarrow.parquet

    number = 0
    with open_file(path, binary=True) as file:
        for batch in pyarrow.parquet.ParquetFile(file).iter_batches(batch_size=1024):
            for row in batch.to_pylist():
                number += 1
                yield number, row


_READERS = {".jsonl": jsonl, ".json": json_list, ".parquet": parquet}
ROW_KINDS = (*_READERS, *TABLES)


def table(path: Path, delimiter: str, quoting: bool) -> Rows:
    """The rows of a csv or tsv file by the names in its first line, each numbered by the line that it starts in.

    A row that does not fit the names is an Exception. So is one whose quotation marks do not match: reading goes on
    with the next line, so that an open one takes no other rows with it.
    """
    csv.field_size_limit(min(sys.maxsize, LONGEST))
    names: list[str] | None = None
    with open_file(path) as file:
        for number, fields in _fields(file, delimiter, quoting):
            if isinstance(fields, ValueError):
                yield number, ValueError(f"a header with {fields}") if names is None else fields
                if names is None:
                    return
            elif names is None:
                names = fields
            elif len(fields) == len(names):
                yield number, dict(zip(names, fields, strict=True))
            else:
                yield number, ValueError(f"{'more' if len(fields) > len(names) else 'fewer'} fields than the header")


def _fields(file: Iterable[str], delimiter: str, quoting: bool) -> Iterator[tuple[int, list[str] | ValueError]]:
    lines = _Lines(file)
    style: Literal[0, 3] = csv.QUOTE_MINIMAL if quoting else csv.QUOTE_NONE
    reader = csv.reader(lines, delimiter=delimiter, quoting=style, strict=True)
    while True:
        number = lines.begin()
        try:
            fields: list[str] | ValueError = next(reader)
        except StopIteration:
            return
        except csv.Error as error:
            lines.give_back()
            fields = ValueError(_FAULTS.get(str(error).partition(" (")[0], "a quotation mark amid text"))
        if fields != []:  # an empty line
            yield number, fields


_FAULTS = {
    "unexpected end of data": "a quotation mark that never closes",
    "field larger than field limit": f"a field of more than {LONGEST:,} characters, or an open quotation mark",
}


class _Lines:
    """The lines of a file, of which those of a broken row can be given back."""

    def __init__(self, file: Iterable[str]) -> None:
        self.file, self.number = iter(file), 1
        self.again: deque[str] = deque()
        self.row: list[str] = []

    def __iter__(self) -> "_Lines":
        return self

    def __next__(self) -> str:
        self.row.append(self.again.popleft() if self.again else next(self.file))
        return self.row[-1]

    def begin(self) -> int:
        """The number of the line in which the next row starts."""
        self.number += len(self.row)
        self.row = []
        return self.number

    def give_back(self) -> None:
        """Read all lines of the row but its first again."""
        self.again.extendleft(reversed(self.row[1:]))
        del self.row[1:]
