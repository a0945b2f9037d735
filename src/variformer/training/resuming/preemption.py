"""A run that a signal stops leaves a checkpoint, whichever process got the signal and whatever the run was doing."""

from typing import ClassVar

import lightning as L
import torch
from lightning.fabric.plugins.environments import LightningEnvironment
from lightning.pytorch.strategies import ParallelStrategy
from lightning.pytorch.utilities.types import STEP_OUTPUT
from torch import distributed

from ...objectives.objective import Batch
from ..callback import RunCallback, run_callbacks
from ..devices.launcher import Launcher
from ..lightning_private import leave_signals_alone
from ..order import Order
from ..signals import Preempted, Signals
from ..steps import step_is_complete


class Preemption(RunCallback):
    """Acts on signals at the end of a step or of a validation batch, where all processes agree on it.

    A validation that is left counts as one that did not happen. Each callback takes back what it changed for it
    (`leave_validation`), and the resumed run validates first (Resumption).
    """

    order: ClassVar[Order] = Order.LEAVE

    def __init__(self, signals: Signals):
        self.signals = signals
        self.agreed = False

    def setup(self, trainer: L.Trainer, pl_module: L.LightningModule, stage: str) -> None:
        leave_signals_alone(trainer)
        self.signals.deferred = trainer.world_size > 1  # a single process has nothing to save before its first step

    def on_train_batch_end(
        self, trainer: L.Trainer, module: L.LightningModule, outputs: STEP_OUTPUT, batch: Batch, batch_idx: int
    ) -> None:
        self.signals.deferred = True
        if step_is_complete(trainer, batch_idx):
            self.leave_after_a_signal(trainer)

    def on_validation_batch_end(
        self,
        trainer: L.Trainer,
        module: L.LightningModule,
        outputs: STEP_OUTPUT,
        batch: Batch,
        batch_idx: int,
        dataloader_idx: int = 0,
    ) -> None:
        if signum := self.received(trainer):  # all processes have the same number of batches (EvaluationOrder)
            for callback in run_callbacks(trainer):
                callback.leave_validation(module)
            self.leave(trainer, signum)

    def on_validation_end(self, trainer: L.Trainer, module: L.LightningModule) -> None:
        self.leave_after_a_signal(trainer)

    def on_exception(self, trainer: L.Trainer, module: L.LightningModule, exception: BaseException) -> None:
        """End the processes that this one started: they would wait for it without end."""
        if not self.agreed and isinstance(trainer.strategy.launcher, Launcher):
            trainer.strategy.launcher.end()

    def leave_after_a_signal(self, trainer: L.Trainer) -> None:
        if signum := self.received(trainer):
            self.leave(trainer, signum)

    def received(self, trainer: L.Trainer) -> int:
        """The signal that any process has received, or 0. All processes get the same answer."""
        if trainer.world_size == 1:
            return self.signals.received
        received = torch.tensor(self.signals.received, device=trainer.strategy.root_device)
        distributed.all_reduce(received, distributed.ReduceOp.MAX)
        return int(received)

    def leave(self, trainer: L.Trainer, signum: int) -> None:
        """Raises Preempted, once every callback has saved its part of a training."""
        self.agreed = True
        if trainer.state.fn == "fit":
            for callback in run_callbacks(trainer):
                callback.before_leaving(trainer)
        try:
            self.signals.leave(signum)
        except Preempted as stop:
            strategy = trainer.strategy
            environment = strategy.cluster_environment if isinstance(strategy, ParallelStrategy) else None
            if isinstance(environment, LightningEnvironment) and trainer.local_rank != 0:
                stop.code = 0  # a child's failure makes Lightning kill the first process, which is still leaving
            raise
