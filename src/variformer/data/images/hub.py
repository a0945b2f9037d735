"""Images from Hugging Face datasets; decoded when they are read."""

from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from torch import Tensor

from ...paths import FolderOrName
from ...ranges import UnderHalf
from ..contracts import Split
from ..hub import load_split, require_columns
from .files import decode
from .raw import BadImage, RawImages
from .splitting import complete

if TYPE_CHECKING:
    from datasets import Dataset

__all__ = ["HubImages"]


class HubRows(RawImages):
    """The rows of one split of a Hugging Face dataset, decoded when read."""

    def __init__(self, table: "Dataset", image_column: str, labels: np.ndarray, origin: str):
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
    validation_split, test_split: for each one not given, a fraction `held_out` of the training split is set aside
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
        train = self._table(self.train_split)
        validation = None if self.validation_split is None else self._table(self.validation_split)
        test = None if self.test_split is None else self._table(self.test_split)
        words = _words(train[self.label_column])
        return complete(
            self._rows(train, words, self.train_split),
            None if validation is None else self._rows(validation, words, str(self.validation_split)),
            None if test is None else self._rows(test, words, str(self.test_split)),
            self.held_out,
        )

    def _table(self, split: str) -> "Dataset":
        table = load_split(self.path, self.name, split, self.revision)
        require_columns(table, [self.image_column, self.label_column], self.path)
        return table

    def _rows(self, table: "Dataset", words: dict[str, int], split: str) -> HubRows:
        import datasets

        kind = table.features[self.image_column]
        if not isinstance(kind, datasets.Image):
            raise ValueError(f"column {self.image_column!r} of {self.path} holds {kind}, not images")
        labels = self._labels(table[self.label_column], words)
        table = table.select_columns([self.image_column])
        table = table.cast_column(self.image_column, datasets.Image(decode=False))
        return HubRows(table, self.image_column, labels, split)

    def _labels(self, values: Iterable[object], words: dict[str, int]) -> np.ndarray:
        """A label that is missing, or a word unknown in training, becomes -1, which is out of range."""
        values = [words.get(value, -1) if isinstance(value, str) else value for value in values]
        if any(value is not None and not isinstance(value, int) for value in values):
            raise ValueError(f"column {self.label_column!r} of {self.path} holds neither whole numbers nor words")
        return np.array([-1 if value is None else value for value in values])


def _words(values: Iterable[object]) -> dict[str, int]:
    words = sorted({value for value in values if isinstance(value, str)})
    return {word: number for number, word in enumerate(words)}
