"""Documents that occur more than once, in one split or in two. In two, a model is evaluated on training text."""

from collections.abc import Callable
from itertools import combinations
from typing import NamedTuple

import numpy as np

from ..contracts import SPLITS

# Shapes: N documents.


class Repeats(NamedTuple):
    """Documents of one kind that repeat others: "train" within a split, "val in train" between two."""

    kind: str
    total: int
    document: int  # the first of them
    original: int  # the one that it repeats

    @property
    def leaks(self) -> bool:
        return " in " in self.kind


def repeats(texts: np.ndarray, splits: np.ndarray) -> list[Repeats]:
    """(N,) numbers that are equal for equal texts, (N,) indices of splits -> every kind that occurs."""
    places = [np.flatnonzero(splits == split) for split in range(len(SPLITS))]
    within = (_within(name, texts, place) for name, place in zip(SPLITS, places, strict=True))
    pairs = combinations(range(len(SPLITS)), 2)
    between = (
        _between(f"{SPLITS[late]} in {SPLITS[early]}", texts, places[early], places[late]) for early, late in pairs
    )
    return [*filter(None, within), *filter(None, between)]


def _within(kind: str, texts: np.ndarray, place: np.ndarray) -> Repeats | None:
    _, first, which = np.unique(texts[place], return_index=True, return_inverse=True)
    later = np.flatnonzero(first[which] != np.arange(len(place)))
    return Repeats(kind, len(later), int(place[later[0]]), int(place[first[which[later[0]]]])) if len(later) else None


def _between(kind: str, texts: np.ndarray, early: np.ndarray, late: np.ndarray) -> Repeats | None:
    shared = late[np.isin(texts[late], texts[early])]
    if not len(shared):
        return None
    original = early[texts[early] == texts[shared[0]]][0]
    return Repeats(kind, len(shared), int(shared[0]), int(original))


def superfluous(texts: np.ndarray, splits: np.ndarray) -> np.ndarray:
    """(N,) True for all equal documents but one: the first one in the last split that has any remains.

    So evaluation splits stay as they are, and the training split loses what they hold.
    """
    order = np.lexsort((np.arange(len(texts)), -splits.astype(np.int64), texts))
    found = np.zeros(len(texts), dtype=bool)
    found[order[1:]] = texts[order[1:]] == texts[order[:-1]]
    return found


def summary(found: list[Repeats], name: Callable[[int], str]) -> str:
    """One line: how many documents of each kind repeat others, and the first of them."""
    parts = [
        f"{each.total} of {each.kind}{' (a leak)' if each.leaks else ''} "
        f"(first: {name(each.document)} equals {name(each.original)})"
        for each in found
    ]
    return f"duplicate documents: {'; '.join(parts)}"
