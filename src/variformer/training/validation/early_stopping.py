"""Stop when validation no longer gets better."""

import logging
from typing import ClassVar, Literal, cast

import lightning as L
import torch
from lightning.pytorch.callbacks import EarlyStopping as LightningEarlyStopping
from lightning.pytorch.callbacks.early_stopping import EarlyStoppingReason

from ...ranges import Count, NotNegative
from ..callback import RunCallback, Stop, run_callbacks
from ..contract import State, run_trainer, training_module
from ..order import Order
from .conditions import Conditions, conditions, difference

log = logging.getLogger(__name__)


class EarlyStopping(RunCallback, LightningEarlyStopping):
    """Lightning's, with the metric that the objective names. `patience` counts validations."""

    order: ClassVar[Order] = Order.STOP

    def __init__(self, *, patience: Count = 5, min_delta: NotNegative = 0.0):
        self.least_change = min_delta
        self.conditions: Conditions = {}
        super().__init__(monitor="", patience=patience, min_delta=min_delta, verbose=True)

    def setup(self, trainer: L.Trainer, pl_module: L.LightningModule, stage: str) -> None:
        objective = training_module(pl_module).objective
        self.monitor, self.mode = f"val/{objective.monitor}", objective.mode
        sign = 1 if self.mode == "min" else -1
        self.min_delta = -sign * self.least_change  # Lightning adds the sign in its constructor: too early here
        if self.best_score.isinf():
            self.best_score = self.best_score.abs() * sign
        super().setup(trainer, pl_module, stage)

    def on_train_start(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        """Stop again a run that was killed after it had decided to stop, unless it now has more patience."""
        now = conditions(trainer, pl_module)
        if self.best_score.isfinite() and (other := difference(self.conditions, now)):
            log.warning("early stopping counts anew from here on, because it compared otherwise: %s", other)
            self.wait_count, self.best_score = 0, torch.tensor(torch.inf if self.mode == "min" else -torch.inf)
        self.conditions = now
        if self.wait_count >= self.patience:
            trainer.should_stop = True
        else:
            self.stopping_reason, self.stopping_reason_message = EarlyStoppingReason.NOT_STOPPED, None

    def load_state_dict(self, state_dict: State) -> None:
        """Load all but the patience, which the config sets."""
        patience = self.patience
        super().load_state_dict(state_dict)
        self.patience, self.conditions = patience, state_dict.get("yardstick", {})

    def state_dict(self) -> State:
        return super().state_dict() | {"yardstick": self.conditions}


def stops(trainer: L.Trainer, module: L.LightningModule) -> list[Stop]:
    """Why callbacks ended the training; early stopping last, be it ours or Lightning's own."""
    found = [each.stopped(module) for each in run_callbacks(trainer)]
    found += [stop_of(each) for each in run_trainer(trainer).callbacks if isinstance(each, LightningEarlyStopping)]
    return [stop for stop in found if stop is not None]


def stop_of(callback: LightningEarlyStopping) -> Stop | None:
    """Why an early stopping ended the training; None where it did not."""
    if callback.stopping_reason == EarlyStoppingReason.NOT_STOPPED:
        return None
    return Stop("early_stopping", callback.monitor, cast(Literal["min", "max"], callback.mode))
