"""The fields of many examples, by their index: kept on disk, or held in memory."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from .example import LISTS, Example
from .ragged import Ragged

# Shapes: N rows.

NAME = "name"  # of a row, kept beside its fields
_PLAIN = (*LISTS, "answers")  # fields that are kept as JSON


class Rows(Protocol):
    """N examples. A field that a row does not have is empty: "" or []."""

    fields: frozenset[str]

    def __len__(self) -> int: ...

    def name(self, index: int) -> str:
        """Where a row came from."""
        ...

    def value(self, field: str, index: int) -> Any:
        """A text, a name, a list of words, or a list of answers."""
        ...


class StoredRows:
    """The rows of one split of a store; `indices`, (N,), are their places in it."""

    def __init__(self, columns: Mapping[str, Ragged], indices: np.ndarray) -> None:
        self.columns, self.indices = dict(columns), indices
        self.fields = frozenset(self.columns) - {NAME}

    @classmethod
    def open(cls, folder: Path, fields: Sequence[str], indices: np.ndarray) -> "StoredRows":
        return cls({field: Ragged.open(folder / field) for field in (*fields, NAME)}, indices)

    def __len__(self) -> int:
        return len(self.indices)

    def name(self, index: int) -> str:
        return self._text(NAME, index)

    def value(self, field: str, index: int) -> Any:
        text = self._text(field, index)
        return text if field not in _PLAIN else json.loads(text or "[]")

    def _text(self, field: str, index: int) -> str:
        return self.columns[field][int(self.indices[index])].tobytes().decode()


class HeldRows:
    """Examples in memory, such as a few that are to be predicted."""

    def __init__(self, examples: Sequence[Example]) -> None:
        self.examples = examples
        self.fields = frozenset(field for example in examples for field in example.fields)

    def __len__(self) -> int:
        return len(self.examples)

    def name(self, index: int) -> str:
        return self.examples[index].name

    def value(self, field: str, index: int) -> Any:
        return self.examples[index].fields.get(field, [] if field in _PLAIN else "")


def kept_bytes(field: str, value: Any) -> bytes:
    """A value as `StoredRows` reads it."""
    return (json.dumps(value, ensure_ascii=False) if field in _PLAIN else value).encode()
