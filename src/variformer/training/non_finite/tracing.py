"""Where a value that is not finite came from: the micro batch at fault is computed again, module by module."""

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Protocol, cast

import lightning as L
import torch
from torch import Tensor, nn
from torch.distributed.tensor import DTensor
from torch.utils._pytree import tree_leaves

from ...data.order import Index
from ...objectives.objective import Batch, Scores
from ..contract import TrainingModule
from .finding import Finding
from .finite import is_non_finite

RandomStates = tuple[Tensor, Tensor | None]  # of the generators of dropout: the CPU's and the device's


class SampleLoader(Protocol):
    """The training data loader: what it takes to make a batch of given samples."""

    dataset: "Samples"
    collate_fn: Callable[[list[object]], Batch]


class Samples(Protocol):
    def __getitem__(self, index: Index) -> object: ...


@dataclass
class MicroBatch:
    """What it takes to compute the loss of a micro batch again, and that loss. It holds no activations or inputs."""

    samples: list[Index]
    states: RandomStates
    loss: Tensor | None = None
    counts: tuple[Tensor, ...] = ()


def dropout_states(device: torch.device) -> RandomStates:
    return torch.get_rng_state(), torch.cuda.get_rng_state(device) if device.type == "cuda" else None


@contextmanager
def dropout_from(states: RandomStates, device: torch.device) -> Iterator[None]:
    """Within the context, dropout starts from `states`. Afterwards the generators are as they were before."""
    before = dropout_states(device)
    set_dropout_states(states, device)
    try:
        yield
    finally:
        set_dropout_states(before, device)


def set_dropout_states(states: RandomStates, device: torch.device) -> None:
    torch.set_rng_state(states[0])
    if states[1] is not None:
        torch.cuda.set_rng_state(states[1], device)


def batch_of(trainer: L.Trainer, samples: list[Index]) -> Batch:
    """The batch of some training samples, a pure function of them, on the run's device."""
    loader = cast(SampleLoader, trainer.train_dataloader)
    batch = loader.collate_fn([loader.dataset[sample] for sample in samples])
    batch = trainer.precision_plugin.convert_input(batch)
    return trainer.strategy.batch_to_device(batch)


def trace_loss(trainer: L.Trainer, module: TrainingModule, number: int, micro: MicroBatch) -> tuple[Finding, Batch]:
    """Run a micro batch forward once more, with its own dropout and uncompiled, and find the first module whose output
    is not finite. All processes may call it at the same time: it takes one forward pass and nothing else.
    """
    batch, seen = batch_of(trainer, micro.samples), First()
    with torch.no_grad(), dropout_from(micro.states, module.device), outputs_seen_by(seen, module.model):
        scores = forward(trainer, module, batch)
    weights, inputs = not_finite(module.model.named_parameters()), not_finite(batch.items())
    return Finding(number, micro.samples, parts(scores), weights, inputs, module=seen.name), batch


def trace_gradient(
    trainer: L.Trainer, module: TrainingModule, number: int, micro: MicroBatch
) -> tuple[Finding, Batch] | None:
    """The same for the backward pass; None where the gradients of this micro batch are finite.

    `torch.autograd.grad` accumulates nothing, so it starts none of the reductions that DDP attaches to parameters.
    """
    batch, seen = batch_of(trainer, micro.samples), First()
    named = {name: p for name, p in module.model.named_parameters() if p.requires_grad}
    with dropout_from(micro.states, module.device), outputs_seen_by(seen, module.model, backward=True):
        scores = forward(trainer, module, batch)
        gradients = torch.autograd.grad(scores.loss, list(named.values()), allow_unused=True)
    for name, gradient in zip(named, gradients, strict=True):
        seen.look(name, gradient)
    if seen.name is None:
        return None
    weights, inputs = not_finite(module.model.named_parameters()), not_finite(batch.items())
    return Finding(number, micro.samples, parts(scores), weights, inputs, gradient=seen.name), batch


def is_sharded(model: nn.Module) -> bool:
    """Whether parameters are split over several devices. An extra backward pass would upset their exchange."""
    return any(isinstance(p, DTensor) for p in model.parameters())


def forward(trainer: L.Trainer, module: TrainingModule, batch: Batch) -> Scores:
    with trainer.precision_plugin.train_step_context(), torch.compiler.set_stance("force_eager"):
        return module.objective(module.model, batch)


def parts(scores: Scores) -> dict[str, float]:
    """The means of a batch that the curves show, and the loss that is differentiated."""
    return {name: (r.total / r.count).item() for name, r in scores.ratios.items()} | {"loss": scores.loss.item()}


def not_finite(named: Iterable[tuple[str, object]]) -> list[str]:
    """Names of the tensors that are not finite."""
    return [name for name, value in named if is_non_finite(value)]


class First:
    """The name of the first value looked at that is not finite."""

    name: str | None = None

    def look(self, name: str, value: object) -> None:
        if self.name is None and is_non_finite(value):
            self.name = name


@contextmanager
def outputs_seen_by(seen: First, model: nn.Module, backward: bool = False) -> Iterator[None]:
    """Let `seen` look at the output of every module as it is computed; with `backward`, at the output's gradient."""

    def hook(name: str) -> Callable[[nn.Module, tuple[object, ...], object], None]:
        def look(module: nn.Module, inputs: tuple[object, ...], outputs: object) -> None:
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
