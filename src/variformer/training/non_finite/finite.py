"""Whether what a checkpoint would hold is finite."""

import math
from collections.abc import Iterable, Iterator

import lightning as L
import torch
from torch import Tensor, nn

from ...run_directory.directory import RunDirectory
from ...run_directory.newest import resumable
from ..callback import NamedTensor, run_callbacks
from ..contract import TrainingModule, run_of
from ..devices.sharding import local_shard

SHOWN = 4  # names of tensors in a message
CURES = "Try a lower optimizer.lr, a longer schedule.warmup, a smaller clip or precision=bf16-mixed."


class NonFiniteError(RuntimeError):
    """A loss, a gradient, weights or a validation are not finite, and the run stops."""


def weights(module: nn.Module) -> Iterator[NamedTensor]:
    yield from module.named_parameters()
    for name, buffer in module.named_buffers():
        yield name, buffer.nan_to_num(nan=torch.nan, posinf=0.0, neginf=0.0)  # a mask may hold infinity


def full_state(trainer: L.Trainer, module: nn.Module) -> Iterator[NamedTensor]:
    """The weights, what callbacks keep for each of them, and what the optimizer keeps."""
    yield from weights(module)
    for callback in run_callbacks(trainer):
        yield from callback.kept_tensors()
    names: dict[Tensor, str] = {parameter: name for name, parameter in module.named_parameters()}
    for optimizer in trainer.optimizers:
        for parameter, state in optimizer.state.items():
            kept = {what: value for what, value in state.items() if isinstance(value, Tensor)}
            yield from ((f"{what} of {names.get(parameter, '?')}", value) for what, value in kept.items())


def require_finite(trainer: L.Trainer, tensors: Iterable[NamedTensor]) -> None:
    """Waits once for the device.

    Raises NonFiniteError if a tensor is not finite: on every device alike, with the names of such tensors.
    """
    named = [(name, local_shard(tensor.detach())) for name, tensor in tensors if tensor.is_floating_point()]
    device = trainer.strategy.root_device
    wrong = ~torch.stack([tensor.isfinite().all().to(device) for _, tensor in named])
    total = trainer.strategy.reduce(wrong.sum().float(), reduce_op="max")
    if count := int(total):
        here = [name for (name, _), is_wrong in zip(named, wrong.tolist(), strict=True) if is_wrong]
        shown = ", ".join(here[:SHOWN]) + (", ..." if len(here) > SHOWN else "")
        raise NonFiniteError(
            f"after step {trainer.global_step}: {count} tensors are not finite: {shown or 'on another device'}. "
            f"{way_back(run_of(trainer))}\n{CURES}"
        )


def require_finite_value(step: int, module: TrainingModule) -> None:
    """Raises NonFiniteError if the last validation has no finite value of the metric that the objective names."""
    name = module.objective.monitor
    value = module.results["val"][name]
    if not math.isfinite(value):
        raise NonFiniteError(
            f"step {step}: val/{name} is {value}. Either no sample of the validation counts for it: give more of them "
            f"(trainer.validation_batches). Or the model overflows: {CURES[0].lower()}{CURES[1:]}"
        )


def is_non_finite(value: object) -> bool:
    """Whether a value is a tensor with an element that is not finite."""
    if not isinstance(value, Tensor) or not value.is_floating_point():
        return False
    return not bool(local_shard(value).isfinite().all())


def way_back(run: RunDirectory) -> str:
    saved = resumable(run.checkpoints)
    return f"They are not saved; resume=true goes on from {saved[0].name}" if saved else "They are not saved"
