"""What a model costs: parameters, floating-point operations, and what the machine could do."""

import copy
import time
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils.flop_counter import FlopCounterMode


def parameter_count(model: nn.Module) -> int:
    """Parameters, shared ones once."""
    return sum(p.numel() for p in model.parameters())


def training_flops(model: nn.Module, objective: nn.Module, batch: dict[str, Any]) -> float:
    """FLOPs of the matrix products in one forward and backward pass, counted without computing anything."""
    with FlopCounterMode(display=False) as counter:
        ghost_pass(model, objective, batch)
    return float(counter.get_total_flops())


def unreached(model: nn.Module, objective: nn.Module, batch: dict[str, Any]) -> list[str]:
    """Parameters that the loss of a batch does not depend on, found without computing anything."""
    named = ghost_pass(model, objective, batch).named_parameters(remove_duplicate=False)
    return [name for name, parameter in named if parameter.requires_grad and parameter.grad is None]


def ghost_pass(model: nn.Module, objective: nn.Module, batch: dict[str, Any]) -> nn.Module:
    """A copy of the model on the meta device, after the forward and backward pass of a batch."""
    ghost = copy.deepcopy(model).to("meta").train()
    on_meta = {name: x.to("meta") if isinstance(x, Tensor) else x for name, x in batch.items()}
    with torch.autograd.set_detect_anomaly(False):  # which looks at values, and there are none
        objective(ghost, on_meta).loss.backward()
    return ghost


def peak_flops(device: torch.device, dtype: torch.dtype, size: int | None = None, seconds: float = 0.3) -> float:
    """FLOP/s of a square matrix product, the best of as many as fit into `seconds` (at least two)."""
    size = size or (8192 if device.type == "cuda" else 1024)
    a = torch.ones(size, size, device=device, dtype=dtype)
    best, deadline, runs = float("inf"), time.perf_counter() + seconds, 0
    while runs < 2 or time.perf_counter() < deadline:
        began = time.perf_counter()
        a @ a
        if device.type == "cuda":
            torch.cuda.synchronize(device)
        best, runs = min(best, time.perf_counter() - began), runs + 1
    return 2 * size**3 / best
