"""Means that are exact over batches of different sizes and over devices."""

import torch
from torch import Tensor
from torchmetrics import Metric


class RatioMetric(Metric):
    """The sum of totals divided by the sum of counts, in double precision; NaN where nothing was counted."""

    full_state_update = False
    total: Tensor
    count: Tensor

    def __init__(self) -> None:
        super().__init__()
        for name in ("total", "count"):
            self.add_state(name, torch.zeros((), dtype=torch.float64), dist_reduce_fx="sum")

    def update(self, total: Tensor, count: Tensor) -> None:
        self.total += total.detach()
        self.count += count

    def compute(self) -> Tensor:
        return self.total / self.count
