"""Where a value that is not finite came from: the micro batch at fault is made again and followed through the model."""

import math
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import lightning as L
import torch
from torch import Tensor, nn
from torch.distributed.tensor import DTensor
from torch.utils._pytree import tree_leaves

from ...objectives.objective import Batch, Scores

CURES = "Try a lower optimizer.lr, a longer schedule.warmup, a smaller clip or precision=bf16-mixed."

Sample = tuple[int, int]  # (epoch, index within the split)
States = tuple[Tensor, Tensor | None]  # of the generators that dropout draws from: the CPU's and the device's


class StepSkipped(Exception):
    """Raised between the gradients and the optimizer's step, which is then not taken."""


class NonFiniteError(RuntimeError):
    """A loss, a gradient, weights or a validation are not finite, and the run stops."""


def require_finite_value(step: int, module: Any) -> None:
    """Raises NonFiniteError where the last validation has no finite value of what the objective watches."""
    name = module.objective.monitor
    value = module.results["val"][name]
    if not math.isfinite(value):
        raise NonFiniteError(
            f"step {step}: val/{name} is {value}. Either no sample of the validation counts for it: give more of them "
            f"(trainer.validation_batches). Or the model overflows: {CURES[0].lower()}{CURES[1:]}"
        )


@dataclass
class MicroBatch:
    """What it takes to compute the loss of a micro batch again, and what that loss was; no activations, no inputs."""

    samples: list[Sample]
    states: States
    loss: Tensor | None = None
    counts: tuple[Tensor, ...] = ()


@dataclass
class Finding:
    """A micro batch at fault, and the first places where it shows; all by name, and empty where nothing was found."""

    micro_batch: int  # counted from 1 within its step
    samples: list[Sample]
    loss_parts: dict[str, float]
    weights: list[str]
    inputs: list[str]
    module: str | None  # in the order of the forward pass
    gradient: str | None  # the output (or parameter) first reached in the order of the backward pass


def dropout_states(device: torch.device) -> States:
    return torch.get_rng_state(), torch.cuda.get_rng_state(device) if device.type == "cuda" else None


@contextmanager
def drawing_from(states: States, device: torch.device) -> Iterator[None]:
    """Within, dropout draws from `states`; afterwards the generators are as they were."""
    before = dropout_states(device)
    set_dropout_states(states, device)
    try:
        yield
    finally:
        set_dropout_states(before, device)


def set_dropout_states(states: States, device: torch.device) -> None:
    torch.set_rng_state(states[0])
    if states[1] is not None:
        torch.cuda.set_rng_state(states[1], device)


def remade(trainer: L.Trainer, samples: list[Sample]) -> Batch:
    """The batch of some training samples: a pure function of them, on the run's device."""
    loader: Any = trainer.train_dataloader
    batch = loader.collate_fn([loader.dataset[sample] for sample in samples])
    batch = trainer.precision_plugin.convert_input(batch)
    return trainer.strategy.batch_to_device(batch)


def follow_loss(trainer: L.Trainer, module: Any, number: int, micro: MicroBatch) -> tuple[Finding, Batch]:
    """Run a micro batch forward once more, with its own dropout and uncompiled, and see which module's output is the
    first that is not finite. Every process may call it at once: it takes one forward pass and nothing else.
    """
    batch, seen = remade(trainer, micro.samples), First()
    with torch.no_grad(), drawing_from(micro.states, module.device), watched(module.model, seen):
        scores = forward(trainer, module, batch)
    return Finding(number, micro.samples, parts(scores), *origins(module.model, batch), seen.name, None), batch


def follow_gradient(trainer: L.Trainer, module: Any, number: int, micro: MicroBatch) -> tuple[Finding, Batch] | None:
    """The same for the backward pass; None where the gradients of this micro batch are finite.

    `torch.autograd.grad` accumulates nothing, and so sets off none of the reductions that DDP hangs on parameters.
    """
    batch, seen = remade(trainer, micro.samples), First()
    named = {name: p for name, p in module.model.named_parameters() if p.requires_grad}
    with drawing_from(micro.states, module.device), watched(module.model, seen, backward=True):
        scores = forward(trainer, module, batch)
        gradients = torch.autograd.grad(scores.loss, list(named.values()), allow_unused=True)
    for name, gradient in zip(named, gradients, strict=True):
        seen.look(name, gradient)
    if seen.name is None:
        return None
    return Finding(number, micro.samples, parts(scores), *origins(module.model, batch), None, seen.name), batch


def is_sharded(model: nn.Module) -> bool:
    """Whether parameters lie in pieces on several devices: a backward pass out of turn would upset their exchange."""
    return any(isinstance(p, DTensor) for p in model.parameters())


def forward(trainer: L.Trainer, module: Any, batch: Batch) -> Scores:
    with trainer.precision_plugin.train_step_context(), torch.compiler.set_stance("force_eager"):
        return module.objective(module.model, batch)


def parts(scores: Scores) -> dict[str, float]:
    """What the curves show of a batch, and the loss that is differentiated."""
    return {name: (r.total / r.count).item() for name, r in scores.ratios.items()} | {"loss": scores.loss.item()}


def origins(model: nn.Module, batch: Batch) -> tuple[list[str], list[str]]:
    """Names of weights, and of tensors of a batch, that are not finite themselves."""
    weights = [name for name, tensor in model.named_parameters() if strange(tensor)]
    return weights, [name for name, tensor in batch.items() if strange(tensor)]


def strange(value: Any) -> bool:
    """Whether a value is a tensor of which not everything is finite."""
    if not isinstance(value, Tensor) or not value.is_floating_point():
        return False
    local = value.to_local() if isinstance(value, DTensor) else value
    return not bool(local.isfinite().all())


class First:
    """The name of the first value looked at that is not finite."""

    name: str | None = None

    def look(self, name: str, value: Any) -> None:
        if self.name is None and strange(value):
            self.name = name


@contextmanager
def watched(model: nn.Module, seen: First, backward: bool = False) -> Iterator[None]:
    """Look at the output of every module as it is computed; with `backward`, at the gradient of that output."""

    def hook(name: str) -> Any:
        def look(module: nn.Module, inputs: Any, outputs: Any) -> None:
            for output in tree_leaves(outputs):
                if not backward:
                    seen.look(name, output)
                elif isinstance(output, Tensor) and output.requires_grad:
                    output.register_hook(lambda gradient: seen.look(name, gradient))

        return look

    handles = [each.register_forward_hook(hook(name)) for name, each in model.named_modules() if name]
    try:
        yield
    finally:
        for handle in handles:
            handle.remove()
