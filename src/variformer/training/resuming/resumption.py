"""Where a resumed run goes on: right after a complete step, as if it had not been stopped there."""

import os
from collections.abc import Callable
from pathlib import Path
from typing import ClassVar

import lightning as L

from ..callback import RunCallback
from ..contract import State, run_of, training_module
from ..lightning_private import set_complete_steps
from ..order import Order
from ..steps import validation_is_due


class Resumption(RunCallback):
    """Adds what Lightning's own loop state leaves out.

    A validation that is due at the checkpoint's step and has not happened runs before the training goes on. The curves
    are cut to what they were at the checkpoint. Lightning counts micro batches: a resumed run counts those of its
    present number of devices.
    """

    order: ClassVar[Order] = Order.RESUME

    def __init__(self) -> None:
        self.resumed = False

    def on_save_checkpoint(self, trainer: L.Trainer, module: L.LightningModule, checkpoint: State) -> None:
        own = training_module(module)
        checkpoint["validated"] = {"step": own.validated_step, "results": own.results.get("val", {})}
        if trainer.is_global_zero:
            checkpoint["curves"] = flushed_size(run_of(trainer).curves)

    def on_load_checkpoint(self, trainer: L.Trainer, module: L.LightningModule, checkpoint: State) -> None:
        self.resumed = True
        if "validated" in checkpoint:
            own = training_module(module)
            own.validated_step = checkpoint["validated"]["step"]
            own.results["val"] = dict(checkpoint["validated"]["results"])
        self.set_counts(trainer, checkpoint["global_step"], checkpoint["loops"]["fit_loop"])
        curves, length = run_of(trainer).curves, checkpoint.get("curves")
        if trainer.is_global_zero and length is not None and curves.is_file() and length < curves.stat().st_size:
            os.truncate(curves, length)

    def set_counts(self, trainer: L.Trainer, step: int, loops: State) -> None:
        """Set the counts of the saved loops to those after `step` steps."""
        batches, progress = step * trainer.accumulate_grad_batches, loops["epoch_loop.batch_progress"]
        for part in "total", "current":
            progress[part] = dict.fromkeys(progress[part], batches)
        # Lightning counts a step after its validation. It resumes at that place, where validation is due.
        set_complete_steps(loops, step - (batches % trainer.val_check_interval == 0))

    def on_train_start(self, trainer: L.Trainer, module: L.LightningModule) -> None:
        if self.resumed and validation_is_due(trainer) and not training_module(module).is_validated():
            validate(trainer)
        self.resumed = False


class OnAccepted(RunCallback):
    """Calls a function once the checkpoint of a resumed run is accepted: then the training starts."""

    order: ClassVar[Order] = Order.RECORD

    def __init__(self, accepted: Callable[[], None]):
        self.accepted = accepted

    def on_train_start(self, trainer: L.Trainer, module: L.LightningModule) -> None:
        self.accepted()


def validate(trainer: L.Trainer) -> None:
    """One validation within `fit`, as Lightning's training loop starts it."""
    loop = trainer.fit_loop.epoch_loop.val_loop
    trainer.validating = True
    loop.restarting = False
    loop.run()
    trainer.training = True


def flushed_size(path: Path) -> int:
    """The size of a file in bytes, all of which are on the disk; 0 where there is none."""
    if not path.is_file():
        return 0
    with path.open("rb") as file:
        os.fsync(file.fileno())
    return path.stat().st_size
