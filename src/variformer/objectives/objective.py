"""What a model is trained to do: from raw samples to a loss and to what is worth a curve."""

from typing import Any, Literal, NamedTuple

import numpy as np
from torch import Tensor, nn

Batch = dict[str, Any]  # tensors, and under "count" how many useful tokens or images they hold


class Ratio(NamedTuple):
    """A mean that can be summed exactly over batches and devices: a total, and what it is a total of."""

    total: Tensor
    count: Tensor  # type: ignore[assignment]  # hides tuple.count, which nobody counts with


class Scores(NamedTuple):
    loss: Tensor  # scalar; what is differentiated
    ratios: dict[str, Ratio]  # what is reported, "loss" among them
    targets: Tensor | None = None  # how many the loss is the mean over, where batches of one size differ in that
    answers: tuple[Tensor, Tensor] | None = None  # in evaluation: (N, K) scores and (N,) labels, for torchmetrics


class Objective(nn.Module):
    """A training task. It knows how to read data and how to call a model, and owns neither.

    `monitor` names the validation metric that says which model is best, `mode` whether less or more of it is better,
    and `unit` what a throughput of this task counts. A subclass may say for the check of configs what kind of model it
    `trains`, what it `reads` (text or images), and in `unfit` which values of a model's arguments it cannot train with.
    With `answers` it says that its scores have them in evaluation, so that a config may name metrics of torchmetrics.
    """

    monitor: str = "loss"
    mode: Literal["min", "max"] = "min"
    unit: str = "tokens"

    def initialise(self, model: nn.Module) -> None:
        """What a new model is given before its first step: mostly nothing. Not called on resume."""

    def view(self, data: Any) -> Any:
        """The samples of one split, in the form that `collate` takes."""
        raise NotImplementedError

    def collate(self, samples: list[dict[str, Any]], keys: np.ndarray, train: bool) -> Batch:
        """Samples and a (B,) key for the randomness of each -> a batch; runs in the loader's workers."""
        raise NotImplementedError

    def forward(self, model: nn.Module, batch: Batch) -> Scores:
        """Apply the model to a batch, on its device."""
        raise NotImplementedError

    def derive(self, means: dict[str, float]) -> dict[str, float]:
        """Metrics computed from the means over a whole split, such as perplexity from the loss."""
        return {}
