"""Examples of Hugging Face data sets, from the hub or from a local folder."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ...paths import FolderOrName
from ..cache import digest_of, file_digest
from ..contracts import Split
from ..hub import folder_of, load_split, require_columns
from .example import FIELDS, Example
from .fields import examples_of_rows
from .files import LabelledFiles, check_columns, renamed

if TYPE_CHECKING:
    from datasets import Dataset


@dataclass(frozen=True)
class HubExamples:
    """A Hugging Face data set: a name on the hub, or a folder (of data files, or saved).

    columns, group: as in `LabelledFiles`; a class label of `datasets` is read as its name
    Splits are the data set's own names, also slices such as "train[:10%]". Without a `revision` the hub's data may
    change under the same name, and the cache would not see it: pin one for published results.
    """

    path: FolderOrName
    name: str | None = None
    columns: Mapping[str, str | None] = field(default_factory=dict)
    group: str | None = None
    train_split: str = "train"
    validation_split: str | None = None
    test_split: str | None = None
    revision: str | None = None

    def __post_init__(self) -> None:
        check_columns(self.columns)

    def __str__(self) -> str:
        return self.path

    def read(self) -> dict[Split, Iterator[Example]]:
        return {split: self._examples(name) for split, name in self._splits().items() if name}

    def fingerprint(self, cache: Path) -> str:
        folder = folder_of(self.path)
        content = [[str(file.relative_to(folder)), file_digest(file, cache)] for file in self._files()]
        layout = [self.name, renamed(self.columns), self.group, self._splits(), self.revision]
        return digest_of("HubExamples", content or self.path, layout)

    def contents(self, cache: Path) -> dict[str, str]:
        files = {str(file): file_digest(file, cache) for file in self._files()}
        return files or {self.path: str(self.revision)}

    def only(self, files: Sequence[str]) -> LabelledFiles:
        return LabelledFiles(None, test=list(files), columns=self.columns)

    def columns_there(self) -> list[str]:
        return self._table(self.train_split).column_names

    def class_names(self) -> list[str] | None:
        """Of the column of labels, or of tags, where it holds class labels of `datasets`."""
        features = self._table(self.train_split).features
        names = [names_of(features[column]) for column in self._label_columns() if column in features]
        return next((list(each) for each in names if each), None)

    def _examples(self, split: str) -> Iterator[Example]:
        table = self._table(split)
        named = [column for _, column in [*renamed(self.columns), ("group", self.group)] if column is not None]
        require_columns(table, named, self.path)
        read = [self.columns.get(field, field) for field in FIELDS] + [self.group]
        names = {column: names_of(feature) for column, feature in table.features.items()}
        rows = enumerate(table.select_columns([column for column in table.column_names if column in read]))
        named_rows = (
            (f"{self.path}/{split}:{number}", {column: worded(value, names[column]) for column, value in row.items()})
            for number, row in rows
        )
        yield from examples_of_rows(named_rows, self.columns, self.group)

    def _label_columns(self) -> list[str]:
        return [self.columns.get(field, field) or "" for field in ("label", "tags")]

    def _table(self, split: str) -> "Dataset":
        return load_split(self.path, self.name, split, self.revision)

    def _splits(self) -> dict[Split, str | None]:
        return {"train": self.train_split, "val": self.validation_split, "test": self.test_split}

    def _files(self) -> list[Path]:
        """Of a local folder."""
        folder = folder_of(self.path)
        return sorted(path for path in folder.rglob("*") if path.is_file()) if folder.is_dir() else []


def names_of(feature: Any) -> list[str] | None:
    """The names of a column of class labels, or of lists of them; None for any other column."""
    import datasets

    inner = getattr(feature, "feature", feature[0] if isinstance(feature, list) else feature)
    return list(inner.names) if isinstance(inner, datasets.ClassLabel) else None


def worded(value: Any, names: Sequence[str] | None) -> Any:
    """Class labels as their names; -1, which stands for a label that is not known, as None."""
    if names is None or value is None:
        return value
    if isinstance(value, list):
        return [worded(each, names) for each in value]
    return names[value] if value >= 0 else None
