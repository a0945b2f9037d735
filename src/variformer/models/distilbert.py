"""DistilBERT: half of BERT's blocks, taught by the whole.

Sanh et al., 2019, https://arxiv.org/abs/1910.01108.
"""

from typing import Any, ClassVar

from ..ranges import Count, Whole
from .bert import Bert


class DistilBert(Bert):
    """The defaults are DistilBERT base (66M): no segments, no pairs. What is not named here is as in BERT."""

    pair_objective: ClassVar[str | None] = None

    def __init__(self, *, depth: Count = 6, segments: Whole = 0, pair_classes: Whole = 0, **bert: Any):
        super().__init__(depth=depth, segments=segments, pair_classes=pair_classes, **bert)
