"""BERT's own pre-training: hidden tokens, and whether the second segment really follows the first.

Devlin et al., 2018, section 3.1 (tasks 1 and 2) and appendix A.2.
"""

from typing import ClassVar

import numpy as np
import torch.nn.functional as F
from torch import nn

from ..samples import SegmentPair, TextSplit, View
from .masked_tokens import TokenMasking, TokenScores, mean, token_ratios
from .objective import Batch, Ratio, Scores


class MaskedTokensAndPairs(TokenMasking[SegmentPair]):
    """[CLS] first [SEP] second [SEP] with segment ids; half of the second segments are from another document."""

    unfit: ClassVar = {"pair_classes": (0, 1), "segments": (1,)}

    def initialise(self, model: nn.Module) -> None:
        """Raises ValueError if the model has no head for pairs of segments."""
        if getattr(model, "pair_head", None) is None:
            raise ValueError(
                f"{type(self).__name__} classifies pairs of segments, and this {type(model).__name__} has no head for "
                "them: set model.pair_classes=2 model.segments=2, or objective=masked_tokens"
            )

    def view(self, data: TextSplit) -> View[SegmentPair]:
        return data.pairs(self.length - 3)

    def assemble(self, samples: list[SegmentPair]) -> dict[str, np.ndarray]:
        """ "tokens" and "segments", (B, T), and "pair", (B,): 0 where the second segment follows, as in BERT."""
        tokens = np.full((len(samples), self.length), self.pad)
        segments = np.zeros_like(tokens)
        for row, sample in enumerate(samples):
            first, second = sample["first"], sample["second"]
            middle = len(first) + 2
            sequence = np.concatenate([[self.start], first, [self.end], second, [self.end]])
            tokens[row, : len(sequence)] = sequence
            segments[row, middle : len(sequence)] = 1
        pair = np.array([1 - sample["is_next"] for sample in samples])
        return {"tokens": tokens, "segments": segments, "pair": pair}

    def score(self, predictions: TokenScores, batch: Batch) -> Scores:
        ratios = token_ratios(predictions.tokens, batch["targets"])
        if predictions.pair is None:
            raise ValueError("the model gives no scores of pairs: set model.pair_classes=2")
        pair, count = batch["pair"], batch["pair"].new_tensor(len(batch["pair"]))
        ratios["pair_loss"] = Ratio(F.cross_entropy(predictions.pair.float(), pair, reduction="sum"), count)
        ratios["pair_accuracy"] = Ratio((predictions.pair.argmax(-1) == pair).sum(), count)
        return Scores(mean(ratios["masked_loss"]) + mean(ratios["pair_loss"]), ratios)
