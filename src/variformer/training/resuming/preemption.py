"""A run that is told to stop leaves a checkpoint, whichever process was told and whatever it was doing."""

from typing import Any, ClassVar

import lightning as L
import torch
from lightning import Callback
from lightning.fabric.plugins.environments import LightningEnvironment
from torch import distributed

from ..devices.launcher import Launcher
from ..order import Order
from ..signals import Preempted, Signals
from ..watching.curves import steps_now
from .checkpoints import Checkpoints


class Preemption(Callback):
    """Acts on signals at the end of a step or of a validation batch, where all processes agree on it.

    The last of the callbacks. A validation that is left has not happened: a callback with `leave_validation(module)`
    takes back what it changed for it, and the resumed run validates first (Resumption).
    """

    order: ClassVar[Order] = Order.LEAVE

    def __init__(self, signals: Signals):
        self.signals = signals
        self.agreed = False

    def setup(self, trainer: L.Trainer, pl_module: Any, stage: str) -> None:
        # Lightning's own handlers broadcast from within, which hangs where not all processes get the signal.
        trainer._signal_connector.register_signal_handlers = lambda: None  # type: ignore[method-assign]
        self.signals.deferred = trainer.world_size > 1  # one process alone has nothing to save before its first step

    def on_train_batch_end(self, trainer: L.Trainer, module: Any, outputs: Any, batch: Any, batch_idx: int) -> None:
        self.signals.deferred = True
        if steps_now(trainer, batch_idx):
            self.leave_if_told(trainer)

    def on_validation_batch_end(
        self, trainer: L.Trainer, module: Any, outputs: Any, batch: Any, batch_idx: int, dataloader_idx: int = 0
    ) -> None:
        if signum := self.told(trainer):  # all processes have as many batches (EvaluationOrder)
            for callback in trainer.callbacks:  # type: ignore[attr-defined]
                if hasattr(callback, "leave_validation"):
                    callback.leave_validation(module)
            self.leave(trainer, signum)

    def on_validation_end(self, trainer: L.Trainer, module: Any) -> None:
        self.leave_if_told(trainer)

    def on_exception(self, trainer: L.Trainer, module: Any, exception: BaseException) -> None:
        """Processes that the first one started would wait for ever for it, if it leaves without them."""
        if not self.agreed and isinstance(trainer.strategy.launcher, Launcher):
            trainer.strategy.launcher.end()

    def leave_if_told(self, trainer: L.Trainer) -> None:
        if signum := self.told(trainer):
            self.leave(trainer, signum)

    def told(self, trainer: L.Trainer) -> int:
        """The signal that any process has received, or 0; all get the same answer."""
        if trainer.world_size == 1:
            return self.signals.received
        received = torch.tensor(self.signals.received, device=trainer.strategy.root_device)
        distributed.all_reduce(received, distributed.ReduceOp.MAX)
        return int(received)

    def leave(self, trainer: L.Trainer, signum: int) -> None:
        self.agreed = True
        if trainer.state.fn == "fit":
            for callback in trainer.callbacks:  # type: ignore[attr-defined]
                if isinstance(callback, Checkpoints) and not callback.saved:
                    callback.save(trainer)
        try:
            self.signals.leave(signum)
        except Preempted as stop:
            environment = getattr(trainer.strategy, "cluster_environment", None)
            if isinstance(environment, LightningEnvironment) and trainer.local_rank != 0:
                stop.code = 0  # a child's failure makes Lightning kill the first process, which is still on its way out
            raise
