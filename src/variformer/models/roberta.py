"""RoBERTa: BERT without segments and pairs, trained longer, on full sentences and ever new masks.

Liu et al., 2019, https://arxiv.org/abs/1907.11692.
"""

from collections.abc import Callable
from functools import partial
from typing import Any, ClassVar

from torch import nn

from ..layers import CountedPositions, Positions, Sizes
from ..ranges import Count, Whole
from .bert import Bert


class Roberta(Bert):
    """The defaults are RoBERTa base (125M). What is not named here is as in BERT.

    Its one segment is a constant vector, and its positions are counted from 2 over real tokens: both are leftovers of
    the reference code (fairseq) that its checkpoints hold.
    """

    objective: ClassVar[str] = "FullSentences"
    pair_objective: ClassVar[str | None] = None

    def __init__(
        self,
        *,
        vocab_size: Count = 50265,
        segments: Whole = 1,
        pair_classes: Whole = 0,
        positions: Callable[[Sizes], Positions] = partial(CountedPositions, offset=2),
        norm: Callable[[int], nn.Module] = partial(nn.LayerNorm, eps=1e-5),
        **bert: Any,
    ):
        super().__init__(
            vocab_size=vocab_size,
            segments=segments,
            pair_classes=pair_classes,
            positions=positions,
            norm=norm,
            **bert,
        )
