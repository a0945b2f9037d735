"""When checkpoints are written, and which are kept."""

import logging
import math
import os
from pathlib import Path
from typing import ClassVar

import lightning as L
from lightning.pytorch.utilities.types import STEP_OUTPUT

from ...objectives.objective import Batch
from ...ranges import Count
from ...run_directory.checkpoint_files import checksum_of
from ..callback import RunCallback
from ..contract import State, run_of, training_module
from ..non_finite.finite import full_state, require_finite, weights
from ..order import Order
from ..steps import step_is_complete, validation_is_due
from ..validation.conditions import Conditions, conditions, difference
from .checkpoint_io import failed_saves

log = logging.getLogger(__name__)


class Checkpoints(RunCallback):
    """Writes all that a resumed run needs, every `every` steps and at the end; after the validation where one is due.

    A run that is killed during a validation therefore validates again. The newest `keep` files stay, as
    step-<number>.ckpt; last.ckpt is a link to the newest. Raises NonFiniteError in place of saving what is not finite.
    """

    order: ClassVar[Order] = Order.SAVE

    def __init__(self, *, every: Count | None = None, keep: Count = 2):
        self.every, self.keep = every, keep
        self.saved = True  # whether the present state is on the disk

    def on_train_batch_end(
        self, trainer: L.Trainer, module: L.LightningModule, outputs: STEP_OUTPUT, batch: Batch, batch_idx: int
    ) -> None:
        if step_is_complete(trainer, batch_idx):
            self.saved = False
            if self.is_due(trainer) and not validation_is_due(trainer):
                self.save(trainer)

    def on_validation_end(self, trainer: L.Trainer, module: L.LightningModule) -> None:
        if trainer.state.fn == "fit":
            self.saved = False
            if self.is_due(trainer):
                self.save(trainer)

    def on_train_end(self, trainer: L.Trainer, module: L.LightningModule) -> None:
        self.before_leaving(trainer)

    def before_leaving(self, trainer: L.Trainer) -> None:
        if not self.saved:
            self.save(trainer)

    def is_due(self, trainer: L.Trainer) -> bool:
        return self.every is not None and trainer.global_step % self.every == 0

    def save(self, trainer: L.Trainer) -> None:
        require_finite(trainer, full_state(trainer, trainer.lightning_module))
        folder = run_of(trainer).checkpoints
        self.saved = True
        newest = folder / f"step-{trainer.global_step:08d}.ckpt"
        trainer.save_checkpoint(newest, weights_only=False)
        if trainer.is_global_zero and newest.is_file():  # the disk may have been full
            link(checksum_of(newest), folder / "last.ckpt.sha256")
            link(newest, folder / "last.ckpt")
            for old in sorted(folder.glob("step-*.ckpt"))[: -self.keep]:
                trainer.strategy.remove_checkpoint(old)


class BestCheckpoint(RunCallback):
    """Writes only the weights, to best.ckpt, when a validation has the best value so far of the objective's metric."""

    order: ClassVar[Order] = Order.BEST

    def __init__(self) -> None:
        self.value: float | None = None
        self.conditions: Conditions = {}

    def on_train_start(self, trainer: L.Trainer, module: L.LightningModule) -> None:
        now = conditions(trainer, module)
        if self.value is not None and (other := difference(self.conditions, now)):
            log.warning("best.ckpt is chosen anew from here on, because it was compared otherwise: %s", other)
            self.value = None
        self.conditions = now

    def on_validation_end(self, trainer: L.Trainer, module: L.LightningModule) -> None:
        own = training_module(module)
        value = own.results["val"][own.objective.monitor]
        if self.is_better(value, own.objective.mode):
            require_finite(trainer, weights(own))
            trainer.save_checkpoint(run_of(trainer).checkpoints / "best.ckpt", weights_only=True)
            if was_saved(trainer):
                self.value = value

    def is_better(self, value: float, mode: str) -> bool:
        """A value that is not finite is never better, and any other value is better than one that is not finite."""
        if not math.isfinite(value):
            return False
        if self.value is None or not math.isfinite(self.value):
            return True
        return value < self.value if mode == "min" else value > self.value

    def state_dict(self) -> State:
        return {"value": self.value, "yardstick": self.conditions}

    def load_state_dict(self, state: State) -> None:
        self.value, self.conditions = state["value"], state.get("yardstick", {})


def was_saved(trainer: L.Trainer) -> bool:
    """Whether the last save succeeded. Only rank zero knows it and tells the others: the disk may have been full."""
    return trainer.strategy.broadcast(not failed_saves(trainer.strategy.checkpoint_io))


def link(target: Path, name: Path) -> None:
    """Make `name`, which lies beside `target`, a link to it, in place of what it was."""
    temporary = name.with_name(f".{name.name}.{os.getpid()}.tmp")
    temporary.symlink_to(target.name)
    os.replace(temporary, name)
