"""Stop when validation no longer gets better."""

import logging
from typing import Any, ClassVar

import lightning as L
import torch
from lightning.pytorch.callbacks import EarlyStopping as LightningEarlyStopping
from lightning.pytorch.callbacks.early_stopping import EarlyStoppingReason

from ...ranges import Count, NotNegative
from ..order import Order
from .yardstick import difference, yardstick

log = logging.getLogger(__name__)


class EarlyStopping(LightningEarlyStopping):
    """Lightning's, watching the metric that the objective names. `patience` counts validations."""

    order: ClassVar[Order] = Order.STOP

    def __init__(self, *, patience: Count = 5, min_delta: NotNegative = 0.0):
        self.least = min_delta
        self.yardstick: dict[str, Any] = {}
        super().__init__(monitor="", patience=patience, min_delta=min_delta, verbose=True)

    def setup(self, trainer: L.Trainer, pl_module: Any, stage: str) -> None:
        self.monitor, self.mode = f"val/{pl_module.objective.monitor}", pl_module.objective.mode
        sign = 1 if self.mode == "min" else -1
        self.min_delta = -sign * self.least  # Lightning adds the sign when it is built, which is too early here
        if self.best_score.isinf():
            self.best_score = self.best_score.abs() * sign
        super().setup(trainer, pl_module, stage)

    def on_train_start(self, trainer: L.Trainer, pl_module: Any) -> None:
        """A run that was killed after it had decided to stop stops again, unless it was given more patience."""
        now = yardstick(trainer, pl_module)
        if self.best_score.isfinite() and (other := difference(self.yardstick, now)):
            log.warning("early stopping counts anew from here on, because it compared otherwise: %s", other)
            self.wait_count, self.best_score = 0, torch.tensor(torch.inf if self.mode == "min" else -torch.inf)
        self.yardstick = now
        if self.wait_count >= self.patience:
            trainer.should_stop = True
        else:
            self.stopping_reason, self.stopping_reason_message = EarlyStoppingReason.NOT_STOPPED, None

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """All but the patience, which is the config's."""
        patience = self.patience
        super().load_state_dict(state_dict)
        self.patience, self.yardstick = patience, state_dict.get("yardstick", {})

    def state_dict(self) -> dict[str, Any]:
        return super().state_dict() | {"yardstick": self.yardstick}
