"""LAMB: Adam for batches of thousands of sequences.

You et al., 2019, "Large Batch Optimization for Deep Learning: Training BERT in 76 minutes", algorithm 2.
"""

from collections.abc import Iterable

import torch
from torch import Tensor

from ..ranges import BelowOne, NotNegative
from .optimizer import Closure, ParameterGroup

__all__ = ["Lamb"]


class Lamb(torch.optim.Optimizer):
    """Adam's step with decoupled weight decay, scaled to the norm of the matrix that it changes, times `lr`.

    Vectors (biases, norms) take Adam's step unscaled, as in the authors' code.
    """

    def __init__(
        self,
        params: Iterable[ParameterGroup],
        *,
        lr: NotNegative = 1.76e-3,
        beta1: BelowOne = 0.9,
        beta2: BelowOne = 0.999,
        eps: NotNegative = 1e-6,
        weight_decay: NotNegative = 0.01,
    ):
        defaults = {"lr": lr, "betas": (beta1, beta2), "eps": eps, "weight_decay": weight_decay}
        super().__init__(list(params), defaults)

    @torch.no_grad()
    def step(self, closure: Closure | None = None) -> float | None:  # type: ignore[override]
        loss = None
        if closure is not None:
            with torch.enable_grad():
                loss = closure()
        for group in self.param_groups:
            for parameter in group["params"]:
                if parameter.grad is not None:
                    update = self.adam(parameter, group) + group["weight_decay"] * parameter
                    parameter.sub_(group["lr"] * trust(parameter, update) * update)
        return loss

    def adam(self, parameter: Tensor, group: ParameterGroup) -> Tensor:
        """The gradient's moving mean over the root of its moving square, both without their bias to zero."""
        state, gradient = self.state[parameter], parameter.grad
        if not state:
            state["step"] = 0
            state["mean"], state["square"] = torch.zeros_like(parameter), torch.zeros_like(parameter)
        state["step"] += 1
        beta1, beta2 = group["betas"]
        state["mean"].lerp_(gradient, 1 - beta1)
        state["square"].mul_(beta2).addcmul_(gradient, gradient, value=1 - beta2)
        mean = state["mean"] / (1 - beta1 ** state["step"])
        square = state["square"] / (1 - beta2 ** state["step"])
        return mean / (square.sqrt() + group["eps"])


def trust(parameter: Tensor, update: Tensor) -> Tensor | float:
    """|parameter| / |update|; 1 for vectors, and where either is zero."""
    if parameter.dim() < 2:
        return 1.0
    size, change = parameter.norm(), update.norm()
    return torch.where((size > 0) & (change > 0), size / change, 1.0)
