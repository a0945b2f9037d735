"""Whether the samples and steps of a run have a sensible size: warnings before the first step."""

from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import torch
from torch import nn

from ..analysis.cost import hardware_flops, parameter_count, peak_flops
from ..analysis.memory import COMPUTED, KEPT
from ..layers import Attention
from .run import Run

SLOW = 60.0  # seconds: a step that takes longer gets a warning
SLOWEST = 5e10  # FLOP/s that every processor in use reaches
LONGER = 10  # times the documents' mean length


def long_samples(length: int | None, report: Any) -> Iterator[str]:
    """A line where a sample is far longer than a document. `report` is the report of the data."""
    train = report.get("train")
    if length is None or not isinstance(train, dict) or not train.get("documents"):
        return
    mean = train["tokens"] / train["documents"]
    if length > LONGER * mean:
        yield (
            f"length={length}: documents have {mean:,.0f} tokens on average, so that a sample is made of about "
            f"{length / mean:,.0f} that have nothing to do with each other; a shorter length learns as much for less"
        )


def slow_steps(length: int | None, flops: float, peak: float) -> Iterator[str]:
    """A line where a step of `flops` operations takes long at `peak` operations per second."""
    seconds = flops / peak
    if seconds > SLOW:
        shorter = "length, whose attention costs its square, " if length else ""
        yield (
            f"a step takes at least {timedelta(seconds=round(seconds))} (h:mm:ss) on this machine ({flops:.3g} FLOP); "
            f"lower {shorter}global_batch, or the sizes of the model"
        )


def warnings_of(run: Run) -> list[str]:
    """The warnings for a run that is about to start. The cost of a step is only counted where the step may be slow."""
    model, length = run.module.model, run.config.length or 1
    lines = list(long_samples(run.config.length, run.task.data.report))
    tokens = run.config.global_batch * length
    least = 6 * parameter_count(model) * tokens  # Kaplan et al., 2020, section 2.1
    attention = 12 * length * tokens * attention_width(model)
    if least + attention > SLOW * SLOWEST * run.trainer.world_size:
        lines += slow_steps(run.config.length, step_flops(run), peak_of(run))
    return lines


def attention_width(model: nn.Module) -> int:
    """The width of the queries, summed over all layers of attention."""
    return sum(each.query.out_features for each in model.modules() if isinstance(each, Attention))


def step_flops(run: Run) -> float:
    """FLOPs that all devices compute in one optimizer step: those of one sample, times the global batch."""
    module, sample = run.module, run.data_module.example()
    return run.config.global_batch * hardware_flops(
        module.model, module.objective, sample, checkpointing=module.checkpointing
    )


def peak_of(run: Run) -> float:
    """FLOP/s of all devices together, as one large matrix product reaches them in the run's precision."""
    dtype = (COMPUTED | KEPT).get(run.config.precision, torch.float32)
    return peak_flops(run.trainer.strategy.root_device, dtype) * run.trainer.world_size
