"""Images from Hugging Face datasets; decoded when they are read."""

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
from torch import Tensor

from ...paths import FolderOrName
from ...ranges import UnderHalf
from ..sources import Split
from .files import decode, enumerate_some
from .sources import BadImage, RawImages, complete

__all__ = ["HubImages"]


class HubRows(RawImages):
    """The rows of one split of a Hugging Face dataset, decoded when read."""

    def __init__(self, table: Any, image_column: str, labels: np.ndarray, origin: str):
        super().__init__(labels)
        self.table = table
        self.image_column = image_column
        self.origin = origin

    def name(self, index: int) -> str:
        return f"{self.origin} row {self.rows[index]}"

    def content(self, index: int) -> bytes:
        stored = self.table[int(self.rows[index])][self.image_column] or {}
        try:
            content = stored.get("bytes") or Path(stored["path"]).read_bytes()
        except (KeyError, TypeError, OSError) as problem:
            raise BadImage(f"{self.name(index)} has no image in column {self.image_column!r}") from problem
        return content

    def pixels(self, index: int) -> Tensor:
        return decode(self.content(index), self.name(index))


class HubImages:
    """An image dataset by its name on huggingface.co, or a local folder that `datasets` wrote or can read.

    path, name, revision: as in `datasets.load_dataset`
    image_column, label_column: labels are whole numbers, class labels or strings (numbered alphabetically)
    validation_split, test_split: for each one not given, the share `held_out` of the training split
    """

    def __init__(
        self,
        path: FolderOrName,
        name: str | None = None,
        image_column: str = "image",
        label_column: str = "label",
        train_split: str = "train",
        validation_split: str | None = None,
        test_split: str | None = None,
        revision: str | None = None,
        held_out: UnderHalf = 0.1,
    ):
        self.path, self.name, self.revision = path, name, revision
        self.image_column, self.label_column = image_column, label_column
        self.train_split, self.validation_split, self.test_split = train_split, validation_split, test_split
        self.held_out = held_out

    def read(self) -> dict[Split, RawImages]:
        train = self._load(self.train_split)
        validation = None if self.validation_split is None else self._load(self.validation_split)
        test = None if self.test_split is None else self._load(self.test_split)
        words = _words(train[self.label_column])
        return complete(
            self._rows(train, words, self.train_split),
            None if validation is None else self._rows(validation, words, str(self.validation_split)),
            None if test is None else self._rows(test, words, str(self.test_split)),
            self.held_out,
        )

    def _load(self, split: str) -> Any:
        """The table of one split, as load_dataset names it, with its columns checked."""
        import datasets

        folder = Path(self.path).expanduser()
        try:
            if (folder / "dataset_dict.json").is_file():
                saved = datasets.load_from_disk(str(folder))
                if split not in saved:
                    raise ValueError(f"it has {enumerate_some(sorted(saved))}")
                table = saved[split]
            else:
                path = str(folder) if folder.is_dir() else self.path
                table = datasets.load_dataset(path, self.name, split=split, revision=self.revision)
        except ValueError as problem:
            raise ValueError(f"{self.path} has no split {split!r} (or name {self.name!r}): {problem}") from problem
        except (OSError, datasets.exceptions.DatasetsError) as problem:
            raise FileNotFoundError(
                f"cannot load the dataset {self.path!r} (name {self.name!r}, revision {self.revision!r}): no "
                f"folder {folder.absolute()}, not cached by `datasets`, and huggingface.co failed: {problem}"
            ) from problem
        for column in (self.image_column, self.label_column):
            if column not in table.column_names:
                raise ValueError(f"{self.path} has no column {column!r}; it has {enumerate_some(table.column_names)}")
        return table

    def _rows(self, table: Any, words: dict[str, int], split: str) -> HubRows:
        import datasets

        kind = table.features[self.image_column]
        if not isinstance(kind, datasets.Image):
            raise ValueError(f"column {self.image_column!r} of {self.path} holds {kind}, not images")
        labels = self._labels(table[self.label_column], words)
        table = table.select_columns([self.image_column])
        table = table.cast_column(self.image_column, datasets.Image(decode=False))
        return HubRows(table, self.image_column, labels, split)

    def _labels(self, values: Iterable[Any], words: dict[str, int]) -> np.ndarray:
        """A label that is missing, or a word unknown in training, becomes -1, which is out of range."""
        values = [words.get(value, -1) if isinstance(value, str) else value for value in values]
        if any(value is not None and not isinstance(value, int) for value in values):
            raise ValueError(f"column {self.label_column!r} of {self.path} holds neither whole numbers nor words")
        return np.array([-1 if value is None else value for value in values])


def _words(values: Iterable[Any]) -> dict[str, int]:
    words = sorted({value for value in values if isinstance(value, str)})
    return {word: number for number, word in enumerate(words)}
