"""Progress bars: of a training, with the loss and the speed, and of an evaluation."""

from functools import partial
from typing import ClassVar

import lightning as L
from lightning.pytorch.callbacks import ProgressBar
from lightning.pytorch.utilities.types import STEP_OUTPUT
from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)

from ...objectives.objective import Batch
from ..callback import RunCallback, run_callbacks
from ..contract import training_module
from ..order import Order
from ..steps import step_is_complete, step_is_logged
from .notebook import NotebookProgress, in_notebook


class Moving(RunCallback, ProgressBar):
    """A bar on a terminal and in a notebook, nothing in a log file. With several devices, rank zero has it."""

    order: ClassVar[Order] = Order.SHOW

    def __init__(self, stderr: bool = False) -> None:
        super().__init__()
        self.console = Console(highlight=False, soft_wrap=True, stderr=stderr, force_jupyter=False)
        self.enabled = True
        self.bar: Progress | None = None

    def disable(self) -> None:
        self.enabled = False

    def enable(self) -> None:
        self.enabled = True

    def print(self, *args: object, **kwargs: object) -> None:
        self.console.print(*args)

    def start(self, trainer: L.Trainer, unit: str, total: float, completed: int = 0) -> None:
        if not (self.enabled and trainer.is_global_zero and (in_notebook() or self.console.is_terminal)):
            return
        columns = [
            BarColumn(),
            MofNCompleteColumn(),
            TextColumn(unit),
            TimeElapsedColumn(),
            TextColumn("<"),
        ]
        columns += [TimeRemainingColumn(), TextColumn("{task.description}")]
        on_terminal = partial(Progress, console=self.console, refresh_per_second=4)
        self.bar = NotebookProgress(*columns) if in_notebook() else on_terminal(*columns)
        self.task = self.bar.add_task("", total=total, completed=completed)
        self.bar.start()

    def on_exception(self, trainer: L.Trainer, module: L.LightningModule, exception: BaseException) -> None:
        self.close()

    def close(self) -> None:
        if self.bar is not None:
            self.bar.stop()
            self.bar = None


class Bar(Moving):
    """On a terminal and in a notebook a moving bar; in a log file one line for each validation.

    The loss is that of the last logged step, so that the bar never waits for the device by itself.
    """

    def __init__(self) -> None:
        super().__init__()
        self.loss = self.notes = ""

    def on_train_start(self, trainer: L.Trainer, module: L.LightningModule) -> None:
        self.start(trainer, "steps", trainer.max_steps, trainer.global_step)

    def on_train_batch_end(
        self, trainer: L.Trainer, module: L.LightningModule, outputs: STEP_OUTPUT, batch: Batch, batch_idx: int
    ) -> None:
        if not step_is_complete(trainer, batch_idx):
            return
        if step_is_logged(trainer, batch_idx) and (latest := training_module(module).latest) is not None:
            self.loss = f"loss {latest.loss.item():.3f}"
            self.notes = "  ".join(note for each in run_callbacks(trainer) if (note := each.bar_note(module)))
        if self.bar is not None:
            self.bar.update(self.task, completed=trainer.global_step, description=f"{self.loss}  {self.notes}")

    def on_validation_end(self, trainer: L.Trainer, module: L.LightningModule) -> None:
        if trainer.state.fn == "fit" and self.enabled and trainer.is_global_zero:
            results = training_module(module).results["val"]
            metrics = "  ".join(f"{name} {value:.4f}" for name, value in results.items())
            self.console.print(
                f"step {trainer.global_step}/{trainer.max_steps}  {self.loss}  {self.notes}  validation: {metrics}"
            )

    def on_train_end(self, trainer: L.Trainer, module: L.LightningModule) -> None:
        self.close()


class EvaluationBar(Moving):
    """The batches of an evaluation, on the standard error: the standard output has only the metrics."""

    def __init__(self) -> None:
        super().__init__(stderr=True)

    def on_validation_start(self, trainer: L.Trainer, module: L.LightningModule) -> None:
        self.start(trainer, "batches", sum(trainer.num_val_batches))

    def on_test_start(self, trainer: L.Trainer, module: L.LightningModule) -> None:
        self.start(trainer, "batches", sum(trainer.num_test_batches))

    def on_validation_batch_end(self, *_: object, **__: object) -> None:
        self.advance()

    def on_test_batch_end(self, *_: object, **__: object) -> None:
        self.advance()

    def advance(self) -> None:
        if self.bar is not None:
            self.bar.advance(self.task)

    def on_validation_end(self, trainer: L.Trainer, module: L.LightningModule) -> None:
        self.close()

    def on_test_end(self, trainer: L.Trainer, module: L.LightningModule) -> None:
        self.close()
