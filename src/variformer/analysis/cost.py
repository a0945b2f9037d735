"""What a model costs: parameters, floating-point operations, and what the machine could do."""

import copy
import time
from functools import cache, partial
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils.flop_counter import FlopCounterMode

from ..layers import Block, Transformer
from ..layers.attention import for_every_head
from ..objectives.distillation import Distillation, Teacher
from ..objectives.objective import Batch, Objective


def parameter_count(model: nn.Module) -> int:
    """Parameters, shared ones once."""
    return sum(p.numel() for p in model.parameters())


def model_flops(model: nn.Module, objective: Objective, batch: Batch) -> float:
    """FLOPs that one forward and backward pass of a batch asks of the model, counted without computing anything.

    These are the model FLOPs of Chowdhery et al., 2022, "PaLM", appendix B: each matrix product once. They leave out
    what checkpointing computes again, a teacher, and the optimizer. Attention counts every pair of a query and a key,
    or with a sliding window the pairs within it. As in that paper, causality is not discounted: a causal window counts
    as many positions ahead as behind. Padding and the limits of documents are not discounted either.
    """
    meta_model = on_meta(model, checkpointing=False)
    count_windows(meta_model)
    with FlopCounterMode(display=False) as counter:
        if not isinstance(objective, Distillation) or objective.teacher is None:
            meta_pass(meta_model, objective, batch)
            return float(counter.get_total_flops())
        teacher = MeteredTeacher(objective.teacher, counter)
        meta_pass(meta_model, with_teacher(objective, teacher), batch)
    return float(counter.get_total_flops() - teacher.flops)


def hardware_flops(model: nn.Module, objective: Objective, batch: Batch, *, checkpointing: bool = False) -> float:
    """FLOPs of all matrix products that one forward and backward pass computes, counted without computing anything.

    Unlike `model_flops`, it counts a teacher, what checkpointing computes again, and attention outside of windows.
    """
    with FlopCounterMode(display=False) as counter:
        meta_pass(on_meta(model, checkpointing=checkpointing), objective, batch)
    return float(counter.get_total_flops())


class MeteredTeacher(Teacher):
    """A teacher that adds up the FLOPs of its answers."""

    def __init__(self, teacher: Teacher, counter: FlopCounterMode):
        self.model, self.copies = teacher.model, teacher.copies
        self.counter, self.flops = counter, 0

    def __call__(self, student: nn.Module, *inputs: Tensor, **named: Tensor | None) -> Any:
        before = self.counter.get_total_flops()
        answer = super().__call__(student, *inputs, **named)
        self.flops += self.counter.get_total_flops() - before
        return answer


def with_teacher(objective: Distillation, teacher: Teacher) -> Distillation:
    """A copy of the objective that asks this teacher."""
    copied = copy.copy(objective)
    copied.teacher = teacher
    return copied


def count_windows(model: nn.Module) -> None:
    """From now on, self-attention with a window has the right FLOPs and shapes, but no values."""
    for block in model.modules():
        if isinstance(block, Block) and (window := getattr(block.self_attention, "window", None)) is not None:
            block.self_attention.kernel = partial(only_near, window=window)


def only_near(q: Tensor, k: Tensor, v: Tensor, *, window: int, **_: object) -> Tensor:
    """Attention's two products for each pair within the window: (B, H, T, W) with the right shape, but no values."""
    pairs = near_pairs(q.size(2), window)
    k, v = for_every_head(k, q.size(1)), for_every_head(v, q.size(1))
    one_q, one_k, one_v = (x[:, :, :1].expand(-1, -1, pairs, -1).unsqueeze(3) for x in (q, k, v))
    return (one_q @ one_k.mT @ one_v).sum(2).expand(-1, -1, q.size(2), -1)


def near_pairs(length: int, window: int) -> int:
    """Pairs of positions that lie at most `window` apart, in both orders, and of each position with itself."""
    window = min(window, length - 1)
    return length + 2 * window * length - window * (window + 1)


def unreached(model: nn.Module, objective: Objective, batch: Batch) -> list[str]:
    """Parameters that the loss of a batch does not depend on, found without computing anything."""
    named = meta_pass(on_meta(model), objective, batch).named_parameters(remove_duplicate=False)
    return [name for name, parameter in named if parameter.requires_grad and parameter.grad is None]


def on_meta(model: nn.Module, *, checkpointing: bool = False) -> nn.Module:
    """A copy of the model on the meta device, in training mode."""
    meta_model = copy.deepcopy(model).to("meta").train()
    for module in meta_model.modules():
        if isinstance(module, Transformer):
            module.checkpointing = checkpointing
    return meta_model


def meta_pass(meta_model: nn.Module, objective: Objective, batch: Batch) -> nn.Module:
    """Do the forward and backward pass of a batch with a model on the meta device, and return that model."""
    meta_batch = {name: x.to("meta") if isinstance(x, Tensor) else x for name, x in batch.items()}
    if isinstance(objective, nn.Module) and any(
        True for _ in objective.buffers(recurse=False)
    ):  # such as the weights of classes
        objective = copy.deepcopy(objective).to("meta")
    with torch.autograd.set_detect_anomaly(False):  # which looks at values, and there are none
        objective(meta_model, meta_batch).loss.backward()
    return meta_model


@cache
def peak_flops(device: torch.device, dtype: torch.dtype, size: int | None = None, seconds: float = 0.3) -> float:
    """FLOP/s of a square matrix product, the best of as many as fit into `seconds` (at least two).

    A process times it once: the machine does not change between its runs.
    """
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
