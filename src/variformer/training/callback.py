"""What a callback of this package declares: its place among the others, and hooks that Lightning does not have."""

from collections.abc import Iterable, Iterator
from typing import ClassVar, Literal, NamedTuple

import lightning as L
from lightning import Callback
from torch import Tensor

from .contract import run_trainer
from .order import Order

NamedTensor = tuple[str, Tensor]


class StepSkipped(Exception):
    """Raised by a `before_step`: the optimizer's step is then not taken."""


class Stop(NamedTuple):
    """Why a callback ended the training before its last step, and the metric by which it decided."""

    reason: str
    metric: str
    mode: Literal["min", "max"]


class RunCallback(Callback):
    """A callback that declares its place in the order, and may fill in hooks beside Lightning's.

    A class that also inherits from one of Lightning's callbacks names this one first.
    """

    order: ClassVar[Order] = Order.OTHER
    weight_copies: ClassVar[int] = 0  # copies of the weights in float32 that it keeps on the device

    def before_step(self, trainer: L.Trainer, module: L.LightningModule) -> None:
        """Called when all gradients of a step are there and clipped. Raises StepSkipped to leave the step out."""

    def leave_validation(self, module: L.LightningModule) -> None:
        """Take back what it changed for a validation. Called when the process stops during one."""

    def before_leaving(self, trainer: L.Trainer) -> None:
        """Save what is not saved yet. Called when the process stops during a training, after a complete step."""

    def kept_tensors(self) -> Iterable[NamedTensor]:
        """What it keeps for each weight, by name; all of it must be finite before a checkpoint is written."""
        return ()

    def bar_note(self, module: L.LightningModule) -> str:
        """A few words for the progress bar."""
        return ""

    def stopped(self, module: L.LightningModule) -> Stop | None:
        """Why it ended the training; None where it did not."""
        return None


def in_order(callbacks: Iterable[Callback]) -> list[Callback]:
    """Callbacks sorted by their declared order. Those with the same order stay as they were."""
    return sorted(callbacks, key=order_of)


def order_of(callback: Callback) -> Order:
    return callback.order if isinstance(callback, RunCallback) else Order.OTHER


def add_callback(trainer: L.Trainer, callback: RunCallback) -> None:
    """Give a trainer that is built already one more callback, in its place."""
    run_trainer(trainer).callbacks = in_order([*run_trainer(trainer).callbacks, callback])


def run_callbacks(trainer: L.Trainer) -> Iterator[RunCallback]:
    """The callbacks of a trainer that have the hooks of this package, in their order."""
    return (each for each in run_trainer(trainer).callbacks if isinstance(each, RunCallback))


def weight_copies(trainer: L.Trainer) -> int:
    """How many copies of the weights in float32 all callbacks together keep."""
    return sum(each.weight_copies for each in run_callbacks(trainer))
