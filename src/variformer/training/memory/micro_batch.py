"""The largest micro batch that fits into memory, found by trial before training."""

import logging
from collections.abc import Callable
from itertools import takewhile
from typing import ClassVar

import lightning as L
import torch

from ...analysis.machine_memory import OutOfMemory
from ..callback import RunCallback
from ..contract import run_trainer, training_module
from ..data_module import DataModule
from ..loggers.dashboard import show_amended_config
from ..order import Order
from .rehearsal import rehearsal

log = logging.getLogger(__name__)


class AutoMicroBatch(RunCallback):
    """Tries forward and backward passes of real batches, beside the memory of the optimizer's state.

    The global batch stays: accumulation makes up for a smaller micro batch. All devices take the smallest of their
    answers. Weights, gradients and random states are as before, so the training is the same as with this micro batch
    set by hand. `found` is called with the size on the first process. With `evaluate_alike`, evaluation takes that size
    too.
    """

    order: ClassVar[Order] = Order.TRIAL

    def __init__(self, found: Callable[[int], None], *, evaluate_alike: bool):
        self.found, self.evaluate_alike = found, evaluate_alike

    def setup(self, trainer: L.Trainer, pl_module: L.LightningModule, stage: str) -> None:
        if stage != "fit":
            return
        data = run_trainer(trainer).datamodule
        sizes = divisors(data.global_batch // trainer.world_size)
        with rehearsal(trainer, training_module(pl_module)) as fits:
            largest = max(takewhile(fits, sizes), default=0)  # small ones first: a failure leaves memory in pieces
        largest = int(trainer.strategy.reduce(torch.tensor(largest, device=pl_module.device), reduce_op="min"))
        self.adopt(trainer, data, max(largest, 1))
        if not largest:
            raise OutOfMemory("not even a micro batch of one sample fits")
        if trainer.is_global_zero:
            log.info("auto_micro_batch: %d of %s samples at a time", largest, sizes)
            self.found(largest)
            show_amended_config(trainer.loggers, {"micro_batch": largest})

    def adopt(self, trainer: L.Trainer, data: DataModule, micro: int) -> None:
        """Set everything as if the run had been built with this size."""
        validate_every = int(trainer.val_check_interval) // trainer.accumulate_grad_batches
        if self.evaluate_alike:
            data.eval_batch = micro
        data.micro_batch = micro
        trainer.accumulate_grad_batches = data.global_batch // (micro * trainer.world_size)
        trainer.val_check_interval = validate_every * trainer.accumulate_grad_batches


def divisors(number: int) -> list[int]:
    return [n for n in range(1, number + 1) if number % n == 0]
