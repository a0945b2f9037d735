"""When checkpoints are written, and which are kept."""

import logging
import math
import os
from pathlib import Path
from typing import Any, ClassVar

import lightning as L
from lightning import Callback

from ...ranges import Count
from ...run_directory.checkpoint_files import checksum_of
from ...run_directory.directory import RunDirectory
from ..non_finite.finite import require_finite, weights, whole_state
from ..order import Order
from ..validation.yardstick import difference, yardstick
from ..watching.curves import steps_now

log = logging.getLogger(__name__)


class Checkpoints(Callback):
    """Everything that a resumed run needs, every `every` steps and at the end; where validation is due, after it.

    So a run that is killed while it validates does so again. The newest `keep` stay, as
    step-<number>.ckpt; last.ckpt is a link to the newest whole one. What is not finite is not saved: NonFiniteError.
    """

    order: ClassVar[Order] = Order.SAVE

    def __init__(self, *, every: Count | None = None, keep: Count = 2):
        self.every, self.keep = every, keep
        self.saved = True  # whether the state of this moment is on the disk

    def on_train_batch_end(
        self, trainer: L.Trainer, module: L.LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        if steps_now(trainer, batch_idx):
            self.saved = False
            if self.is_due(trainer) and not validation_is_due(trainer):
                self.save(trainer)

    def on_validation_end(self, trainer: L.Trainer, module: L.LightningModule) -> None:
        if trainer.state.fn == "fit":
            self.saved = False
            if self.is_due(trainer):
                self.save(trainer)

    def on_train_end(self, trainer: L.Trainer, module: L.LightningModule) -> None:
        if not self.saved:
            self.save(trainer)

    def is_due(self, trainer: L.Trainer) -> bool:
        return self.every is not None and trainer.global_step % self.every == 0

    def save(self, trainer: L.Trainer) -> None:
        require_finite(trainer, whole_state(trainer, trainer.lightning_module))
        folder = RunDirectory(trainer.default_root_dir).checkpoints
        self.saved = True
        newest = folder / f"step-{trainer.global_step:08d}.ckpt"
        trainer.save_checkpoint(newest, weights_only=False)
        if trainer.is_global_zero and newest.is_file():  # the disk may have been full
            link(checksum_of(newest), folder / "last.ckpt.sha256")
            link(newest, folder / "last.ckpt")
            for old in sorted(folder.glob("step-*.ckpt"))[: -self.keep]:
                trainer.strategy.remove_checkpoint(old)


class BestCheckpoint(Callback):
    """The weights alone, in best.ckpt, whenever validation finds the best value so far of the objective's metric."""

    order: ClassVar[Order] = Order.BEST

    def __init__(self) -> None:
        self.value: float | None = None
        self.yardstick: dict[str, Any] = {}

    def on_train_start(self, trainer: L.Trainer, module: Any) -> None:
        now = yardstick(trainer, module)
        if self.value is not None and (other := difference(self.yardstick, now)):
            log.warning("best.ckpt is chosen anew from here on, because it was compared otherwise: %s", other)
            self.value = None
        self.yardstick = now

    def on_validation_end(self, trainer: L.Trainer, module: Any) -> None:
        value = module.results["val"][module.objective.monitor]
        if self.is_better(value, module.objective.mode):
            require_finite(trainer, weights(module))
            folder = RunDirectory(trainer.default_root_dir).checkpoints
            trainer.save_checkpoint(folder / "best.ckpt", weights_only=True)
            if was_saved(trainer):
                self.value = value

    def is_better(self, value: float, mode: str) -> bool:
        """What is not finite never is, and any other value is better than it."""
        if not math.isfinite(value):
            return False
        if self.value is None or not math.isfinite(self.value):
            return True
        return value < self.value if mode == "min" else value > self.value

    def state_dict(self) -> dict[str, Any]:
        return {"value": self.value, "yardstick": self.yardstick}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        self.value, self.yardstick = state["value"], state.get("yardstick", {})


def was_saved(trainer: L.Trainer) -> bool:
    """Whether the last save succeeded, which rank zero alone knows: the disk may have been full."""
    return trainer.strategy.broadcast(not getattr(trainer.strategy.checkpoint_io, "failures", ()))


def validation_is_due(trainer: L.Trainer) -> bool:
    """Whether the training loop validates after this step."""
    return trainer.global_step * trainer.accumulate_grad_batches % trainer.val_check_interval == 0


def link(target: Path, name: Path) -> None:
    """Make `name`, beside `target`, a link to it, in place of what it was."""
    temporary = name.with_name(f".{name.name}.{os.getpid()}.tmp")
    temporary.symlink_to(target.name)
    os.replace(temporary, name)
