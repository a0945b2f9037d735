"""Read text from files of the common kinds, row by row; each text is named by its file and row."""

from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from variformer.data import paths
from variformer.data.text.readers import Damaged, json_list, jsonl, open_file, parquet, table, until_damage

TABLES = {".csv": (",", True), ".tsv": ("\t", False)}  # the delimiter, and whether a field may stand in quotation marks
KINDS = (".txt", ".jsonl", ".json", *TABLES, ".parquet")
_READERS = {".jsonl": jsonl, ".json": json_list, ".parquet": parquet}
_MISSING = object()


class Row(NamedTuple):
    name: str
    text: str
    fault: str | None = None


def find_files(patterns: Sequence[str]) -> list[Path]:
    """Paths, folders and globs -> the files of text, each once; see `paths.find_files`."""
    return paths.find_files(patterns, lambda path: kind_of(path) in KINDS)


def kind_of(path: Path) -> str:
    """The suffix that says how a file is read, in lower case and without .gz."""
    suffixes = [suffix.lower() for suffix in path.suffixes]
    return suffixes[-2] if len(suffixes) > 1 and suffixes[-1] == ".gz" else path.suffix.lower()


def read_documents(
    path: Path, column: str, separator: str | None, delimiter: str | None = None, quoting: bool | None = None
) -> Iterator[Row]:
    """The texts of one file. Where it is damaged, the last row has a fault that says so.

    A txt file in which the separator does not occur is one row of the file's own name. Raises ValueError where the kind
    of file is unknown or it has no such column.
    """
    kind = kind_of(path)
    if kind not in KINDS:
        known = ", ".join(suffix[1:] for suffix in KINDS)
        raise ValueError(
            f"{path}: cannot read {kind or 'a file without a suffix'!r}; known: {known}, each also with .gz"
        )
    if kind == ".txt":
        return _marking_damage(path, until_damage(_txt(path, separator)))
    rows = table(path, *_layout(kind, delimiter, quoting)) if kind in TABLES else _READERS[kind](path)
    return _marking_damage(path, texts_of_rows(until_damage(rows), str(path), column))


def _layout(kind: str, delimiter: str | None, quoting: bool | None) -> tuple[str, bool]:
    usual = TABLES[kind]
    return usual[0] if delimiter is None else delimiter, usual[1] if quoting is None else quoting


def _marking_damage(path: Path, rows: Iterator[Row]) -> Iterator[Row]:
    last = None
    try:
        for last in rows:
            yield last
    except Damaged as damage:
        yield Row(f"{last.name} and what follows" if last else str(path), "", str(damage))


def texts_of_rows(rows: Iterable[tuple[int, Any]], name: str, column: str) -> Iterator[Row]:
    """Numbered rows (dicts; strings; an Exception for a row that cannot be read) -> the texts of one column.

    The first readable row decides whether the column exists; a later row without it is at fault itself.
    """
    seen = False
    for number, row in rows:
        where = f"{name}:{number}"
        if isinstance(row, dict) and column not in row and not seen:
            cure = "Set `column`." if len(row) > 1 else "Set `column`, or the `delimiter` of a csv or tsv file."
            raise ValueError(f"{where}: no column {column!r}; there are: {', '.join(map(str, row))}. {cure}")
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


def _txt(path: Path, separator: str | None) -> Iterator[Row]:
    with open_file(path) as file:
        if separator is None:
            yield Row(str(path), file.read())
            return
        number, rest, occurs = 0, "", False
        while block := file.read(1 << 20):
            *whole, rest = (rest + block).split(separator)
            occurs = occurs or bool(whole)
            for text in filter(str.strip, whole):
                number += 1
                yield Row(f"{path}:document {number}", text)
        if rest.strip():
            yield Row(f"{path}:document {number + 1}" if occurs else str(path), rest)
