"""Tagged sentences in CoNLL's format: a word and its tags on each line, a blank line behind each sentence."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import NamedTuple

from ...paths import LocalPattern
from ...ranges import Column
from ..text.readers import Damaged, open_file, until_damage
from .example import Example
from .files import SplitFiles

_HEADER = "# global.columns ="
_DOCUMENT = "-DOCSTART-"  # a line between documents (Tjong Kim Sang and De Meulder, 2003)


@dataclass(frozen=True)
class ConllFiles(SplitFiles):
    """Local files, each also as .gz. Paths may be folders or globs.

    columns: of `tokens` and `tags` the number of the column, from 0, where negative numbers count from the last; or its
        name, of files that begin with "# global.columns = " (https://universaldependencies.org/ext-format.html); None:
        the field is left out
    separator: between columns; None: any white space
    comment: what a line begins with that is left out; None: no line is
    keep_documents: sentences of one document, from one -DOCSTART- line to the next, stay in one split
    """

    train: LocalPattern | Sequence[LocalPattern] | None
    validation: LocalPattern | Sequence[LocalPattern] | None = None
    test: LocalPattern | Sequence[LocalPattern] | None = None
    columns: Mapping[str, Column | str | None] = field(default_factory=lambda: {"tokens": 0, "tags": -1})
    separator: str | None = None
    comment: str | None = "# "
    keep_documents: bool = False

    kinds = (".conll", ".conllu", ".bio", ".iob", ".iob2", ".txt", ".tsv")

    def __post_init__(self) -> None:
        read = {name for name, column in self.columns.items() if column is not None}
        if unknown := sorted(read - {"tokens", "tags"}):
            raise ValueError(f"data.source.columns.{unknown[0]}: a CoNLL file has tokens and tags")

    def __str__(self) -> str:
        return ", ".join(path for found in self._patterns().values() for path in found)

    def only(self, files: Sequence[str]) -> "ConllFiles":
        return replace(self, train=None, validation=None, test=list(files))

    def _layout(self) -> object:
        return [sorted(self.columns.items()), self.separator, self.comment, self.keep_documents]

    def _read(self, path: Path) -> Iterator[Example]:
        document, last, columns = 0, str(path), self._numbers(path)
        try:
            for lines in until_damage(self._sentences(path)):
                if lines[0].text.startswith(_DOCUMENT):
                    document += 1
                    continue
                example = _example(path, lines, columns, self.separator)
                last = example.name
                yield replace(example, group=f"{path}, document {document}") if self.keep_documents else example
        except Damaged as damage:
            yield Example(f"{last} and what follows", fault=str(damage))

    def _sentences(self, path: Path) -> Iterator[list["Line"]]:
        """The lines of each sentence; one between documents stands alone."""
        lines: list[Line] = []
        with open_file(path) as file:
            for number, text in enumerate(file, start=1):
                if self.comment is not None and text.startswith(self.comment):
                    continue
                is_document = text.startswith(_DOCUMENT)
                if (is_document or not text.strip()) and lines:
                    yield lines
                    lines = []
                if is_document:
                    yield [Line(number, text)]
                elif text.strip():
                    lines.append(Line(number, text.rstrip("\n")))
        if lines:
            yield lines

    def _numbers(self, path: Path) -> dict[str, int]:
        """The columns as numbers. Raises ValueError if a file names none of that name."""
        wanted = {name: column for name, column in self.columns.items() if isinstance(column, str)}
        names: list[str] = []
        if wanted:
            with open_file(path) as file:
                names = file.readline().partition(_HEADER)[2].split()
        for field_, column in wanted.items():
            if column not in names:
                there = ", ".join(names) or f"no line that begins with {_HEADER.strip()!r}"
                raise ValueError(f"{path}:1: no column {column!r} for the {field_}; there are: {there}")
        given = {name: column for name, column in self.columns.items() if column is not None}
        return {name: names.index(column) if isinstance(column, str) else column for name, column in given.items()}


class Line(NamedTuple):
    number: int
    text: str


def _example(path: Path, lines: list[Line], columns: Mapping[str, int], separator: str | None) -> Example:
    """A sentence, named by its first line; a fault by the line where it is."""
    rows = [line.text.split(separator) for line in lines]
    usual = len(rows[0])
    for line, row in zip(lines, rows, strict=True):
        if len(row) != usual:
            return Example(f"{path}:{line.number}", fault=f"{_columns(len(row))} where the others have {usual}")
    name = f"{path}:{lines[0].number}"
    for field_, column in columns.items():
        if not -usual <= column < usual:
            return Example(name, fault=f"{_columns(usual)}, and none of number {column} for the {field_}")
    return Example(name, {field_: [row[column] for row in rows] for field_, column in columns.items()})


def _columns(count: int) -> str:
    return f"{count} column{'s' if count != 1 else ''}"
