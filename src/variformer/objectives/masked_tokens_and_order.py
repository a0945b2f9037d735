"""ALBERT's pre-training: hidden tokens, and whether two segments stand in their order or have changed places.

Lan et al., 2019, sections 3.1 (sentence order prediction) and 4.1.
"""

from ..samples import SegmentPair, TextSplit, View
from .masked_tokens_and_pairs import MaskedTokensAndPairs


class MaskedTokensAndOrder(MaskedTokensAndPairs):
    """As in BERT, but both segments are of one document, and class 1 is for those that changed places."""

    def view(self, data: TextSplit) -> View[SegmentPair]:
        return data.ordered_pairs(self.length - 3)
