"""Whether a run's samples and steps have a size that makes sense, said before the first step."""

from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import lightning as L
import torch

from ..analysis.cost import hardware_flops, parameter_count, peak_flops
from ..analysis.memory import COMPUTED, KEPT
from ..layers import Attention
from ..training.data_module import DataModule
from ..training.module import Training

SLOW = 60.0  # seconds of a step that are worth a word
SLOWEST = 5e10  # FLOP/s that any processor in use reaches
LONGER = 10  # times the documents' mean length


def long_samples(length: int | None, report: Any) -> Iterator[str]:
    """A line where a sample is far longer than a document; `report` is that of the data."""
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
    """A line where a step of `flops` takes long at `peak` FLOP/s."""
    seconds = flops / peak
    if seconds > SLOW:
        shorter = "length, whose attention costs its square, " if length else ""
        yield (
            f"a step takes at least {timedelta(seconds=round(seconds))} (h:mm:ss) on this machine ({flops:.3g} FLOP); "
            f"lower {shorter}global_batch, or the sizes of the model"
        )


def warnings_of(
    config: dict[str, Any], report: Any, trainer: L.Trainer, module: Training, data: DataModule
) -> list[str]:
    """The same for a run that is about to start. What a step takes is counted where it may be long."""
    lines = list(long_samples(config["length"], report))
    tokens = config["global_batch"] * (config["length"] or 1)
    least = 6 * parameter_count(module.model) * tokens  # Kaplan et al., 2020, section 2.1
    attention = 12 * (config["length"] or 1) * tokens * widest(module)
    if least + attention > SLOW * SLOWEST * trainer.world_size:
        lines += slow_steps(config["length"], step_flops(module, data), peak_of(config, trainer))
    return lines


def widest(module: Training) -> int:
    """The sum over all layers of attention of their width."""
    return sum(each.query.out_features for each in module.model.modules() if isinstance(each, Attention))


def step_flops(module: Training, data: DataModule) -> float:
    """FLOPs that all devices compute in one optimizer step: as many times those of one sample."""
    one = hardware_flops(module.model, module.objective, data.example(), checkpointing=module.checkpointing)
    return one * data.global_batch


def peak_of(config: dict[str, Any], trainer: L.Trainer) -> float:
    """FLOP/s of all devices, as one large matrix product reaches it in the run's precision."""
    dtype = (COMPUTED | KEPT).get(config["precision"], torch.float32)
    return peak_flops(trainer.strategy.root_device, dtype) * trainer.world_size
