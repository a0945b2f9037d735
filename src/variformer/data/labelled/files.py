"""Examples from files of the common kinds, row by row; each is named by its file and line."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from ...paths import LocalPattern
from .. import paths
from ..cache import digest_of, file_digest
from ..contracts import Split
from ..text.files import check_delimiter, require_kind
from ..text.readers import ROW_KINDS, kind_of, named_rows
from .example import FIELDS, Example
from .fields import examples_of_rows


class SplitFiles:
    """The files of each split, for sources that read files. A subclass has `train`, `validation` and `test`."""

    kinds: tuple[str, ...]  # of files that are taken from a folder

    train: LocalPattern | Sequence[LocalPattern] | None
    validation: LocalPattern | Sequence[LocalPattern] | None
    test: LocalPattern | Sequence[LocalPattern] | None

    def read(self) -> dict[Split, Iterator[Example]]:
        return {split: self._examples(split) for split, found in self._patterns().items() if found}

    def fingerprint(self, cache: Path) -> str:
        files = {split: self._files(split) for split, found in self._patterns().items() if found}
        digests = {split: [file_digest(path, cache) for path in paths] for split, paths in files.items()}
        kinds = {split: ["".join(path.suffixes[-2:]) for path in paths] for split, paths in files.items()}
        return digest_of(type(self).__name__, digests, kinds, self._layout())

    def contents(self, cache: Path) -> dict[str, str]:
        return {str(path): file_digest(path, cache) for split in self._patterns() for path in self._files(split)}

    def class_names(self) -> None:
        return None

    def columns_there(self) -> Sequence[str]:
        return ()

    def _layout(self) -> object:
        """What else decides how the files are read."""
        raise NotImplementedError

    def _read(self, path: Path) -> Iterator[Example]:
        raise NotImplementedError

    def _examples(self, split: Split) -> Iterator[Example]:
        for path in self._files(split):
            yield from self._read(path)

    def _patterns(self) -> dict[Split, list[str]]:
        given: dict[Split, str | Sequence[str] | None] = {
            "train": self.train,
            "val": self.validation,
            "test": self.test,
        }
        return {split: [found] if isinstance(found, str) else list(found or ()) for split, found in given.items()}

    def _files(self, split: Split) -> list[Path]:
        return paths.find_files(self._patterns()[split], lambda path: kind_of(path) in self.kinds)


@dataclass(frozen=True)
class LabelledFiles(SplitFiles):
    """Local files: csv, tsv, json, jsonl and parquet, each also as .gz. Paths may be folders or globs.

    columns: of a field its column, where the file names it otherwise; None: the field is left out
    group: a column, such as the document; rows that agree in it stay in one split
    delimiter, quoting: of csv and tsv files, as `TextFiles` has them
    """

    train: LocalPattern | Sequence[LocalPattern] | None
    validation: LocalPattern | Sequence[LocalPattern] | None = None
    test: LocalPattern | Sequence[LocalPattern] | None = None
    columns: Mapping[str, str | None] = field(default_factory=dict)
    group: str | None = None
    delimiter: str | None = None
    quoting: bool | None = None

    kinds = ROW_KINDS

    def __post_init__(self) -> None:
        check_columns(self.columns)
        check_delimiter(self.delimiter)

    def __str__(self) -> str:
        return ", ".join(path for found in self._patterns().values() for path in found)

    def only(self, files: Sequence[str]) -> "LabelledFiles":
        return replace(self, train=None, validation=None, test=list(files), group=None)

    def columns_there(self) -> list[str]:
        files = (path for split in self._patterns() for path in self._files(split))
        rows = (row for path in files for _, row in named_rows(path, self.delimiter, self.quoting))
        return next((list(map(str, row)) for row in rows if isinstance(row, dict)), [])

    def _layout(self) -> object:
        return [renamed(self.columns), self.group, self.delimiter, self.quoting]

    def _read(self, path: Path) -> Iterator[Example]:
        require_kind(path, self.kinds)
        rows = named_rows(path, self.delimiter, self.quoting)
        yield from examples_of_rows(rows, self.columns, self.group)


def renamed(columns: Mapping[str, str | None]) -> list[tuple[str, str | None]]:
    """The entries that change something."""
    return sorted((field_, column) for field_, column in columns.items() if column != field_)


def check_columns(columns: Mapping[str, str | None]) -> None:
    """Raises ValueError if a column is given for what is no field of a task."""
    if unknown := sorted(set(columns) - set(FIELDS)):
        raise ValueError(f"data.source.columns.{unknown[0]}: no field of a task; there are: {', '.join(FIELDS)}")
