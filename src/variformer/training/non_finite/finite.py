"""Whether what a checkpoint would hold is finite."""

from collections.abc import Iterable, Iterator
from typing import Any

import lightning as L
import torch
from torch import Tensor

from ...run_directory.directory import RunDirectory
from ...run_directory.newest import resumable
from ..devices.sharding import local
from ..validation.average import MovingAverage
from .tracing import CURES, NonFiniteError

SHOWN = 4  # names of tensors in a message

Named = tuple[str, Tensor]


def weights(module: Any) -> Iterator[Named]:
    yield from module.named_parameters()
    for name, buffer in module.named_buffers():
        yield name, buffer.nan_to_num(nan=torch.nan, posinf=0.0, neginf=0.0)  # a mask may hold infinity


def whole_state(trainer: L.Trainer, module: Any) -> Iterator[Named]:
    """Weights, their moving average and what the optimizer keeps of each."""
    yield from weights(module)
    for callback in trainer.callbacks:  # type: ignore[attr-defined]
        if isinstance(callback, MovingAverage):
            yield from ((f"average of {name}", tensor) for name, tensor in callback.average.items())
    names = {parameter: name for name, parameter in module.named_parameters()}
    for optimizer in trainer.optimizers:
        for parameter, state in optimizer.state.items():
            kept = {what: value for what, value in state.items() if isinstance(value, Tensor)}
            yield from ((f"{what} of {names.get(parameter, '?')}", value) for what, value in kept.items())


def require_finite(trainer: L.Trainer, tensors: Iterable[Named]) -> None:
    """Raises NonFiniteError, on every device alike, that names those that are not. One wait for the device."""
    named = [(name, local(tensor.detach())) for name, tensor in tensors if tensor.is_floating_point()]
    device = trainer.strategy.root_device
    wrong = ~torch.stack([tensor.isfinite().all().to(device) for _, tensor in named])
    count = int(trainer.strategy.reduce(wrong.sum().float(), reduce_op="max"))  # type: ignore[arg-type]
    if count:
        here = [name for (name, _), is_wrong in zip(named, wrong.tolist(), strict=True) if is_wrong]
        shown = ", ".join(here[:SHOWN]) + (", ..." if len(here) > SHOWN else "")
        raise NonFiniteError(
            f"after step {trainer.global_step}: {count} tensors are not finite: {shown or 'on another device'}. "
            f"{way_back(RunDirectory(trainer.default_root_dir))}\n{CURES}"
        )


def way_back(run: RunDirectory) -> str:
    saved = resumable(run.checkpoints)
    return f"They are not saved; resume=true goes on from {saved[0].name}" if saved else "They are not saved"
