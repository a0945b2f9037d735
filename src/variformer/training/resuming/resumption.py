"""Where a resumed run goes on: right after a whole step, as if it had never stopped there."""

import os
from typing import Any, ClassVar

import lightning as L
from lightning import Callback

from ...run_directory.directory import RunDirectory
from ..order import Order
from .checkpoints import validation_is_due


class Resumption(Callback):
    """What Lightning's own loop state leaves out. After all callbacks whose state a validation needs.

    A validation that is due at the checkpoint's step and has not happened runs before training goes on. The curves are
    cut to what they were at the checkpoint. Lightning counts micro batches: on resume, those of the present number of
    devices.
    """

    order: ClassVar[Order] = Order.RESUME

    def __init__(self) -> None:
        self.validated_step = 0
        self.resumed = False

    def on_validation_epoch_end(self, trainer: L.Trainer, module: Any) -> None:
        self.validated_step = trainer.global_step

    def on_save_checkpoint(self, trainer: L.Trainer, module: Any, checkpoint: dict[str, Any]) -> None:
        checkpoint["validated"] = {"step": self.validated_step, "results": module.results.get("val", {})}
        if trainer.is_global_zero:
            checkpoint["curves"] = flushed_size(RunDirectory(trainer.default_root_dir).curves)

    def on_load_checkpoint(self, trainer: L.Trainer, module: Any, checkpoint: dict[str, Any]) -> None:
        self.resumed = True
        if "validated" in checkpoint:
            self.validated_step = checkpoint["validated"]["step"]
            module.results["val"] = dict(checkpoint["validated"]["results"])
        self.place(trainer, checkpoint["global_step"], checkpoint["loops"]["fit_loop"])
        curves, length = RunDirectory(trainer.default_root_dir).curves, checkpoint.get("curves")
        if trainer.is_global_zero and length is not None and curves.is_file() and length < curves.stat().st_size:
            os.truncate(curves, length)

    def place(self, trainer: L.Trainer, step: int, loops: dict[str, Any]) -> None:
        """Set the counts of the saved loops to those after `step` steps."""
        batches, progress = step * trainer.accumulate_grad_batches, loops["epoch_loop.batch_progress"]
        for part in "total", "current":
            progress[part] = dict.fromkeys(progress[part], batches)
        # Lightning counts a step after its validation, and on resume skips to that place where validation is due.
        loops["epoch_loop.state_dict"]["_batches_that_stepped"] = step - (batches % trainer.val_check_interval == 0)

    def on_train_start(self, trainer: L.Trainer, module: Any) -> None:
        if self.resumed and validation_is_due(trainer) and not self.validated(trainer):
            validate(trainer)
        self.resumed = False

    @classmethod
    def of(cls, trainer: L.Trainer) -> "Resumption":
        return next(each for each in trainer.callbacks if isinstance(each, cls))  # type: ignore[attr-defined]

    def validated(self, trainer: L.Trainer) -> bool:
        """Whether the weights of this step have been validated."""
        return self.validated_step == trainer.global_step


def validate(trainer: L.Trainer) -> None:
    """One validation within `fit`, as Lightning's training loop starts it."""
    loop = trainer.fit_loop.epoch_loop.val_loop
    trainer.validating = True
    loop.restarting = False
    loop.run()
    trainer.training = True


def flushed_size(path: Any) -> int:
    """Bytes of a file, all of which are on the disk; 0 where there is none."""
    if not path.is_file():
        return 0
    with path.open("rb") as file:
        os.fsync(file.fileno())
    return path.stat().st_size
