"""From the values of a row to the fields of an example, and what is wrong with them."""

import json
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from .example import FIELDS, LISTS, TEXTS, Example

Columns = Mapping[str, str | None]  # of each field the name of its column; None: leave the field out


def examples_of_rows(rows: Iterable[tuple[str, object]], columns: Columns, group: str | None) -> Iterator[Example]:
    """Named rows (dicts; an Exception for a row that cannot be read) -> examples.

    A field without an entry in `columns` is read from the column of its own name. Such a column may be missing from the
    first readable row, which decides which fields there are. Raises ValueError where one of another name is missing.
    """
    wanted: dict[str, str] | None = None
    for name, row in rows:
        if isinstance(row, Exception) or not isinstance(row, dict):
            fault = str(row) if isinstance(row, Exception) else f"not columns but {type(row).__name__}"
            yield Example(name, fault=fault)
            continue
        if wanted is None:
            wanted = _found(columns, group, row, name)
        yield _example(name, row, wanted, group)


def _found(columns: Columns, group: str | None, row: Mapping[str, object], name: str) -> dict[str, str]:
    """The column of each field that the file has."""
    there = ", ".join(map(str, row))
    named = {f"columns.{field}": column for field, column in columns.items() if column != field}
    for key, column in {**named, "group": group}.items():
        if column is not None and column not in row:
            raise ValueError(f"{name}: no column {column!r}; there are: {there}. Set data.source.{key}")
    chosen = {field: columns.get(field, field) for field in FIELDS}
    found = {field: column for field, column in chosen.items() if column is not None and column in row}
    if not found:
        raise ValueError(
            f"{name}: no column 'text'; there are: {there}, and none is a field of a task. Name one by "
            "data.source.columns.text=COLUMN, or set the delimiter of a csv or tsv file"
        )
    return found


def _example(name: str, row: Mapping[str, object], wanted: Mapping[str, str], group: str | None) -> Example:
    fields: dict[str, Any] = {}
    for field, column in wanted.items():
        if column not in row:
            return Example(name, fault=f"without column {column!r}")
        try:
            fields[field] = value_of(field, row[column])
        except ValueError as error:
            return Example(name, fault=f"column {column!r} {error}")
    return Example(name, fields, group=None if group is None else name_of(row.get(group)))


def value_of(field: str, value: object) -> Any:
    """The value of a field as it is kept. Raises ValueError where it has another type."""
    if field in TEXTS:
        if value is None or isinstance(value, str):
            return value or ""
        raise ValueError(f"holds not text but {type(value).__name__}")
    if field in LISTS:
        return list_of(value)
    return answers_of(value) if field == "answers" else name_of(value)


def name_of(value: object) -> str:
    """A label, an id or a group as a name: 1 -> "1". A missing one is empty."""
    if isinstance(value, str) or value is None:
        return value or ""
    if isinstance(value, bool | int | float):
        return json.dumps(value)
    raise ValueError(f"holds neither a name nor a number but {type(value).__name__}")


def list_of(value: object) -> list[str]:
    """Words: a list, or a text in which white space separates them."""
    if isinstance(value, str) or value is None:
        return (value or "").split()
    if isinstance(value, Iterable) and not isinstance(value, Mapping):
        return [name_of(each) for each in value]
    raise ValueError(f"holds not words but {type(value).__name__}")


def answers_of(value: object) -> list[dict[str, Any]]:
    """A text, a list of texts or of {"text", "answer_start"}, or {"text": [...], "answer_start": [...]}, as answers."""
    if value is None or value == "":
        return []
    if isinstance(value, Mapping) and not isinstance(value.get("text"), str):
        texts, starts = list(value.get("text") or []), list(value.get("answer_start") or [])
        value = [{"text": text, "start": start} for text, start in zip(texts, starts or [-1] * len(texts), strict=True)]
    items = [value] if isinstance(value, str | Mapping) else value
    if not isinstance(items, Iterable):
        raise ValueError(f"holds not answers but {type(value).__name__}")
    return [_answer(item) for item in items]


def _answer(item: object) -> dict[str, Any]:
    if isinstance(item, str):
        return {"text": item, "start": -1}
    if isinstance(item, Mapping) and isinstance(item.get("text"), str):
        return {"text": item["text"], "start": int(item.get("answer_start", item.get("start", -1)))}
    raise ValueError('holds answers that are neither texts nor {"text", "answer_start"}')
