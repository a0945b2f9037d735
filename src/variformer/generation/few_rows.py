"""Linear layers of few rows, on CPUs.

A step of generation multiplies each matrix with one vector per text. For 8 to 15 of them, PyTorch's matrix library
takes up to 1.7 times as long for x W^T, as `nn.Linear` computes it, as for the same numbers from W x^T.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial

import torch
import torch.nn.functional as F
from torch import Tensor, nn

# Shapes: R rows, I inputs, O outputs.

FEW = range(8, 16)  # rows


@contextmanager
def few_rows(model: nn.Module) -> Iterator[None]:
    """Within the context, plain linear layers on the CPU compute few rows from the left."""
    layers = [each for each in model.modules() if type(each) is nn.Linear and "forward" not in vars(each)]
    layers = [each for each in layers if each.weight.device.type == "cpu"]
    for each in layers:
        each.forward = partial(linear, each)  # type: ignore[method-assign]
    try:
        yield
    finally:
        for each in layers:
            del each.forward


def linear(layer: nn.Linear, x: Tensor) -> Tensor:
    """(..., I) -> (..., O)."""
    if x.numel() // layer.in_features not in FEW:
        return F.linear(x, layer.weight, layer.bias)
    columns = x.reshape(-1, layer.in_features).T.contiguous()  # (I, R)
    y = layer.weight @ columns if layer.bias is None else torch.addmm(layer.bias[:, None], layer.weight, columns)
    return y.T.reshape(*x.shape[:-1], layer.out_features).contiguous()
