"""One split of several data sets, and the samples of all of them."""

from collections.abc import Callable, Mapping, Sequence, Set
from typing import Any

import numpy as np

SharesOf = Callable[[Mapping[str, int]], list[float]]  # the samples of each part -> (K,) its share

# Shapes: N samples of all parts, K parts.


class MixedView:
    """The samples of several views, one after the other.

    sizes, shares: (K,) of each part, for `Mixed`
    lengths: (N,) where the parts have lengths, else None
    """

    def __init__(self, views: Mapping[str, Any], shares_of: SharesOf) -> None:
        self.names, self.views = list(views), list(views.values())
        sizes = {name: len(view) for name, view in views.items()}
        self.sizes, self.shares = list(sizes.values()), shares_of(sizes)
        self.begins = np.cumsum([0, *self.sizes])
        have_lengths = all(hasattr(view, "lengths") for view in self.views)
        self.lengths = np.concatenate([view.lengths for view in self.views]) if have_lengths else None

    def __len__(self) -> int:
        return int(self.begins[-1])

    def sample(self, index: int, key: int = 0) -> dict[str, Any]:
        """That of its part, and the name of the part."""
        part = int(np.searchsorted(self.begins, index, side="right")) - 1
        return {**self.views[part].sample(index - int(self.begins[part]), key), "part": self.names[part]}

    def by_part(self, indices: Sequence[int]) -> list[list[int]]:
        """Some indices in their order, those of each part that has any apart."""
        part = np.searchsorted(self.begins, np.asarray(indices), side="right") - 1
        found = [np.asarray(indices)[part == number].tolist() for number in range(len(self.names))]
        return [each for each in found if each]


class MixedSplit:
    """One split of every part; its views are those of the parts, one after the other."""

    def __init__(self, parts: Mapping[str, Any], prefixes: Mapping[str, str], shares_of: SharesOf) -> None:
        self.parts, self.prefixes, self.shares_of = dict(parts), prefixes, shares_of

    def windows(self, length: int, stride: int | None = None) -> MixedView:
        return self._mixed("windows", length, stride)

    def whole_sentences(self, length: int) -> MixedView:
        return self._mixed("whole_sentences", length)

    def pairs(self, length: int, short_probability: float = 0.1) -> MixedView:
        return self._mixed("pairs", length, short_probability)

    def ordered_pairs(self, length: int, short_probability: float = 0.1) -> MixedView:
        return self._mixed("ordered_pairs", length, short_probability)

    @property
    def fields(self) -> Set[str]:
        return frozenset.intersection(*(frozenset(part.fields) for part in self.parts.values()))

    def texts(self, length: int) -> MixedView:
        return self._mixed("texts", length)

    def rated_texts(self, length: int) -> MixedView:
        return self._mixed("rated_texts", length)

    def words(self) -> MixedView:
        return self._mixed("words")

    def questions(self) -> MixedView:
        return self._mixed("questions")

    def text_pairs(self, source_length: int, target_length: int, prefix: str = "") -> MixedView:
        """Each source stands behind `prefix` and the prefix of its part."""
        prefixes = {name: prefix + self.prefixes.get(name, "") for name in self.parts}
        views = {
            name: part.text_pairs(source_length, target_length, prefixes[name]) for name, part in self.parts.items()
        }
        return MixedView(views, self.shares_of)

    def _mixed(self, view: str, *arguments: object) -> MixedView:
        """Raises ValueError where prefixes would be left out."""
        if self.prefixes:
            raise ValueError(
                "data.prefixes stand before sources, which this objective does not read; leave them out, or take "
                "an objective for sources and targets"
            )
        views = {name: getattr(part, view)(*arguments) for name, part in self.parts.items()}
        return MixedView(views, self.shares_of)
