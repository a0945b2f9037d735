"""Stochastic depth: layers that are left out at random while a model learns."""

import torch
from torch import Tensor, nn

from ..ranges import BelowOne


class StochasticDepth(nn.Module):
    """In training, a fraction `rate` of the samples skips a layer, whose output is scaled up for the others.

    Huang et al., 2016, "Deep Networks with Stochastic Depth"; a random number per sample, as in timm's and DeiT's code.
    """

    rate: Tensor

    def __init__(self, rate: BelowOne):
        super().__init__()
        if not 0 <= rate < 1:
            raise ValueError(f"the rate of stochastic depth lies in [0, 1), but is {rate}")
        # A tensor, because a compiler would specialise on a number, and compile every block anew.
        self.register_buffer("rate", torch.tensor(rate), persistent=False)

    def forward(self, x: Tensor) -> Tensor:
        """(B, ...) -> (B, ...)."""
        if not self.training:
            return x
        kept = torch.rand(len(x), *[1] * (x.dim() - 1), device=x.device) >= self.rate
        return x * kept.to(x.dtype) / (1 - self.rate)
