"""The gradient of a step as that of the mean over all its targets, in whichever micro batch and on whichever device."""

from typing import Any

import lightning as L
import torch
from torch import Tensor, nn

from ..objectives.objective import Batch, Scores
from .devices.sharding import local


class Weighting:
    """A micro batch's loss is the mean over its own targets, and where micro batches hold different numbers of them the
    mean of such means is not that over all. So each loss is weighed by its targets, as a share of the tokens that would
    fit, and the gradient is divided by the mean weight before the step.

    An objective whose loss has several parts, each a mean over targets of its own, says no number of targets; there the
    parts are averaged over the micro batches.
    """

    def __init__(self) -> None:
        self.weights: list[Tensor] = []

    def weigh(self, scores: Scores, batch: Batch, objective: Any) -> Tensor:
        """The loss to differentiate."""
        if scores.targets is None:
            return scores.loss
        self.weights.append(scores.targets / (len(batch["index"]) * objective.length))
        return scores.loss * self.weights[-1]

    def settle(self, trainer: L.Trainer, module: nn.Module) -> None:
        """With all gradients of a step there: divide them by the mean of its weights."""
        weights, self.weights = self.weights, []
        if not weights:
            return
        mean = trainer.strategy.reduce(torch.stack(weights).mean(), reduce_op="mean")
        gradients = [local(p.grad) for p in module.parameters() if p.grad is not None]
        torch._foreach_div_(gradients, torch.where(mean > 0, mean, 1.0))
