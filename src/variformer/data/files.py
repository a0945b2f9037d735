"""Read text from files of the common kinds, row by row; each text is named by its file and row."""

import csv
import difflib
import glob
import gzip
import json
import os
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import IO, Any, NamedTuple


class Row(NamedTuple):
    name: str
    text: str
    fault: str | None = None


_MISSING = object()


def find_files(patterns: Sequence[str]) -> list[Path]:
    """Paths and globs -> the files, each pattern's in alphabetical order.

    FileNotFoundError for a pattern that matches none.
    """
    files: list[Path] = []
    for pattern in patterns:
        expanded = os.path.expanduser(pattern)
        found = [expanded] if os.path.isfile(expanded) else sorted(glob.glob(expanded, recursive=True))
        matches = [Path(path) for path in found if os.path.isfile(path)]
        if not matches:
            raise FileNotFoundError(f"no file matches {pattern!r}; {_nearest(Path(expanded))}")
        files += matches
    return files


def _nearest(path: Path) -> str:
    folder = path.absolute().parent
    name = path.name
    while not folder.is_dir():
        folder, name = folder.parent, folder.name
    close = difflib.get_close_matches(name, os.listdir(folder), n=1, cutoff=0.5)
    return f"the nearest is {str(folder / close[0])!r}" if close else f"nothing alike in {str(folder)!r}"


def read_documents(path: Path, column: str, separator: str | None) -> Iterator[Row]:
    """The texts of one file; ValueError where the kind of file is unknown or it has no such column."""
    kind = path.suffixes[-2] if path.suffix == ".gz" and len(path.suffixes) > 1 else path.suffix
    if kind == ".txt":
        return _txt(path, separator)
    if kind not in _READERS:
        known = ", ".join(["txt", *(suffix[1:] for suffix in _READERS)])
        raise ValueError(
            f"{path}: cannot read {kind or 'a file without a suffix'!r}; known: {known}, each also with .gz"
        )
    return texts_of_rows(_READERS[kind](path), str(path), column)


def texts_of_rows(rows: Iterable[tuple[int, Any]], name: str, column: str) -> Iterator[Row]:
    """Numbered rows (dicts; strings; an Exception for a row that cannot be read) -> the texts of one column.

    The first readable row decides whether the column exists; a later row without it is at fault itself.
    """
    seen = False
    for number, row in rows:
        where = f"{name}:{number}"
        if isinstance(row, dict) and column not in row and not seen:
            raise ValueError(f"{where}: no column {column!r}; there are: {', '.join(map(str, row))}. Set `column`.")
        seen = seen or not isinstance(row, Exception)
        value = row.get(column, _MISSING) if isinstance(row, dict) else row
        if isinstance(value, str):
            yield Row(where, value)
        else:
            yield Row(where, "", _fault(value, column))


def _fault(value: Any, column: str) -> str:
    if isinstance(value, Exception):
        return str(value)
    if value is _MISSING:
        return f"without column {column!r}"
    return "empty" if value is None else f"not text but {type(value).__name__}"


def _open(path: Path, binary: bool = False) -> IO[Any]:
    """UTF-8 with or without a byte order mark; other bytes become lone surrogates instead of an error."""
    opener: Callable[..., IO[Any]] = gzip.open if path.suffix == ".gz" else open
    if binary:
        return opener(path, "rb")
    return opener(path, "rt", encoding="utf-8-sig", errors="surrogateescape", newline=None)


def _txt(path: Path, separator: str | None) -> Iterator[Row]:
    with _open(path) as file:
        if separator is None:
            yield Row(str(path), file.read())
            return
        number, rest = 0, ""
        while block := file.read(1 << 20):
            *whole, rest = (rest + block).split(separator)
            for text in filter(str.strip, whole):
                number += 1
                yield Row(f"{path}:document {number}", text)
        if rest.strip():
            yield Row(f"{path}:document {number + 1}", rest)


def _jsonl(path: Path) -> Iterator[tuple[int, Any]]:
    with _open(path) as file:
        for number, line in enumerate(file, start=1):
            if not line.strip():
                continue
            try:
                yield number, json.loads(line)
            except json.JSONDecodeError:
                yield number, ValueError("not JSON")


def _json(path: Path) -> Iterator[tuple[int, Any]]:
    """A list of objects or strings, one object, or an object whose only list holds them ({"data": [...]})."""
    with _open(path) as file:
        try:
            content = json.load(file)
        except json.JSONDecodeError as error:
            raise ValueError(f"{path}: not JSON ({error}); one object a line is .jsonl") from error
    if isinstance(content, dict):
        lists = [value for value in content.values() if isinstance(value, list)]
        content = lists[0] if len(lists) == 1 else [content]
    yield from enumerate(content if isinstance(content, list) else [content], start=1)


def _csv(path: Path, delimiter: str = ",") -> Iterator[tuple[int, Any]]:
    csv.field_size_limit(min(sys.maxsize, 2**31 - 1))  # the default, 131,072 characters, is shorter than a document
    with _open(path) as file:
        reader = csv.DictReader(file, delimiter=delimiter)
        for row in reader:
            yield reader.line_num, row


def _tsv(path: Path) -> Iterator[tuple[int, Any]]:
    return _csv(path, delimiter="\t")


def _parquet(path: Path) -> Iterator[tuple[int, Any]]:
    import pyarrow.parquet

    number = 0
    with _open(path, binary=True) as file:
        for batch in pyarrow.parquet.ParquetFile(file).iter_batches(batch_size=1024):
            for row in batch.to_pylist():
                number += 1
                yield number, row


_READERS: dict[str, Callable[[Path], Iterator[tuple[int, Any]]]] = {
    ".jsonl": _jsonl,
    ".json": _json,
    ".csv": _csv,
    ".tsv": _tsv,
    ".parquet": _parquet,
}
