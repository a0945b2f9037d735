"""The gradient of a step as that of the mean over all its targets, in whichever micro batch and on whichever device."""

import lightning as L
import torch
from torch import Tensor, nn

from ..objectives.objective import Batch, Objective, Scores
from .contract import length_of
from .devices.sharding import local_shard


class Weighting:
    """Weights micro batches by their number of targets.

    The loss of a micro batch is the mean over its own targets. Where micro batches have different numbers of them, the
    mean of these means is not the mean over all targets. So each loss is multiplied by a weight:
    its number of targets, as a fraction of the tokens that would fit. The gradient is divided by the mean weight before
    the step.

    Some objectives have a loss of several parts, each a mean over its own targets, and give no number of targets. There
    the parts are averaged over the micro batches.
    """

    def __init__(self) -> None:
        self.weights: list[Tensor] = []

    def weigh(self, scores: Scores, batch: Batch, objective: Objective) -> Tensor:
        """The loss to differentiate."""
        if scores.targets is None:
            return scores.loss
        self.weights.append(scores.targets / (len(batch["index"]) * length_of(objective)))
        return scores.loss * self.weights[-1]

    def divide_gradients(self, trainer: L.Trainer, module: nn.Module) -> None:
        """Divide all gradients of a step by the mean of its weights."""
        weights, self.weights = self.weights, []
        if not weights:
            return
        mean = trainer.strategy.reduce(torch.stack(weights).mean(), reduce_op="mean")
        gradients = [local_shard(p.grad) for p in module.parameters() if p.grad is not None]
        torch._foreach_div_(gradients, torch.where(mean > 0, mean, 1.0))
