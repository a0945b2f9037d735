"""A labelled example, before it is tokenised, and what has examples."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

from ..contracts import Source

TEXTS = ("text", "pair", "question", "context", "source", "target")  # fields that hold a text
LISTS = ("tokens", "tags")  # fields that hold words
NAMES = ("label", "id")  # fields that hold a name or a number
FIELDS = (*TEXTS, *LISTS, *NAMES, "answers")


@dataclass(frozen=True)
class Example:
    """One row of a task, by the names of the task's fields (`FIELDS`), and where it came from.

    name: for every message about it, such as "reviews.csv:17"
    fields: texts; `tokens` and `tags` are lists of words; `answers` is a list of {"text", "start"}, where the start is
        a place in the context in characters, or -1 where it is not known
    fault: why the example cannot be used, where the reader knows it
    group: examples of one group stay in one split
    """

    name: str
    fields: Mapping[str, Any] = field(default_factory=dict)
    fault: str | None = None
    group: str | None = None


class ExampleSource(Source[Iterable[Example]], Protocol):
    """A source of examples. `read` opens no file before its examples are asked for."""

    def fingerprint(self, cache: Path) -> str:
        """Text that changes whenever the examples do; `cache` remembers hashes of unchanged files."""
        ...

    def contents(self, cache: Path) -> dict[str, str]:
        """What the examples are read from, by name, with a text that changes whenever it does."""
        ...

    def only(self, files: Sequence[str]) -> "ExampleSource":
        """The same columns of other files, all of them the test split."""
        ...

    def columns_there(self) -> Sequence[str]:
        """The names of the columns of the first file, for messages; empty where they have none."""
        ...

    def class_names(self) -> Sequence[str] | None:
        """The names of the classes in their order, where the source itself declares them."""
        ...
