"""Images that occur more than once. In one split they have more weight; in two, evaluation is too good."""

from collections import Counter

import numpy as np

from ..contracts import Split
from .equal import firsts, part_and_index
from .raw import RawImages

PREFERRED: tuple[Split, ...] = ("test", "val", "train")  # an image of several splits belongs to the first of them


class Duplicates:
    """Of each split, the images that are the same as another one: an earlier one of it, or one of a preferred split.

    With `thorough`, also where all images have to be read for it.
    """

    def __init__(self, splits: dict[Split, RawImages], thorough: bool):
        self.splits = splits
        first = firsts([splits[name] for name in PREFERRED], thorough)
        self.searched = first is not None
        repeats = [] if first is None else np.flatnonzero(first != np.arange(len(first))).tolist()
        self.pairs = [] if first is None else [(self._place(each), self._place(first[each])) for each in repeats]
        for images in splits.values():
            images.digests.clear()  # else every worker would have them

    def _place(self, position: int) -> tuple[Split, int]:
        part, index = part_and_index([self.splits[name] for name in PREFERRED], position)
        return PREFERRED[part], index

    def count(self, split: Split) -> int | None:
        """None where nothing was looked for."""
        return Counter(name for (name, _), _ in self.pairs)[split] if self.searched else None

    def dropped(self) -> dict[Split, RawImages]:
        """The splits without them."""
        repeats: dict[Split, list[int]] = {name: [] for name in self.splits}
        for (split, index), _ in self.pairs:
            repeats[split].append(index)
        return {
            name: images.take(np.setdiff1d(np.arange(len(images)), repeats[name]))
            for name, images in self.splits.items()
        }

    def across(self) -> list[str]:
        """A line for each image that two splits hold."""
        return [self._line(*pair) for pair in self.pairs if pair[0][0] != pair[1][0]]

    def lines(self) -> list[str]:
        return [self._line(*pair) for pair in self.pairs]

    def _line(self, one: tuple[Split, int], other: tuple[Split, int]) -> str:
        (split, index), (first, position) = one, other
        return (
            f"{self.splits[split].name(index)} ({split}) is the same image as "
            f"{self.splits[first].name(position)} ({first})"
        )
