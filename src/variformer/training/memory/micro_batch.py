"""The largest micro batch that fits into memory, found by trial before training."""

import gc
import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import takewhile
from typing import Any, ClassVar

import lightning as L
import torch
from lightning import Callback
from torch import Tensor

from ...analysis.cost import parameter_count
from ...analysis.machine_memory import OutOfMemory, free_memory, ran_out
from ...analysis.memory import optimizer_memory, training_memory
from ...data.loader import loader
from ...data.order import Share, TrainingOrder
from ...objectives.objective import Batch
from ..data_module import DataModule
from ..loggers.dashboard import Dashboard
from ..order import Order
from ..resuming.random_state import generator_states, restore
from ..validation.average import MovingAverage

log = logging.getLogger(__name__)

MARGIN = 0.1  # of the free memory, left for fragments and for what validation, samples and checkpoints take
USABLE = 0.5  # of a CPU's free memory: its heap gets holes, and steps were seen to need 1.75 times their tensors
LOOKED_AT = 4  # batches, of which the trial takes the largest


class AutoMicroBatch(Callback):
    """Forward and backward passes of real batches, with room taken for the optimizer's state, decide which sizes fit.

    The global batch stays: what the micro batch loses, accumulation makes up for. All devices take the smallest of
    their answers. Weights, gradients and random states are as before, so that training is that of the same micro batch
    set by hand. `settle` is told the size on the first process; with `evaluate_alike` it is evaluation's, too.
    """

    order: ClassVar[Order] = Order.TRIAL

    def __init__(self, settle: Callable[[int], None], *, evaluate_alike: bool):
        self.settle, self.evaluate_alike = settle, evaluate_alike

    def setup(self, trainer: L.Trainer, pl_module: Any, stage: str) -> None:
        if stage != "fit":
            return
        data: DataModule = trainer.datamodule  # type: ignore[attr-defined]
        sizes = divisors(data.global_batch // trainer.world_size)
        with rehearsal(trainer, pl_module) as fits:
            largest = max(takewhile(fits, sizes), default=0)  # small ones first: what fails leaves memory in pieces
        largest = int(trainer.strategy.reduce(torch.tensor(largest, device=pl_module.device), reduce_op="min"))
        self.adopt(trainer, data, max(largest, 1))
        if not largest:
            raise OutOfMemory("not even a micro batch of one sample fits")
        if trainer.is_global_zero:
            log.info("auto_micro_batch: %d of %s samples at a time", largest, sizes)
            self.settle(largest)
            for logger in trainer.loggers:
                if isinstance(logger, Dashboard):
                    logger.amend_config({"micro_batch": largest})

    def adopt(self, trainer: L.Trainer, data: DataModule, micro: int) -> None:
        """As if the run had been built with this size."""
        validate_every = trainer.val_check_interval // trainer.accumulate_grad_batches
        if self.evaluate_alike:
            data.eval_batch = micro
        data.micro_batch = micro
        trainer.accumulate_grad_batches = data.global_batch // (micro * trainer.world_size)
        trainer.val_check_interval = validate_every * trainer.accumulate_grad_batches


def divisors(number: int) -> list[int]:
    return [n for n in range(1, number + 1) if number % n == 0]


@contextmanager
def rehearsal(trainer: L.Trainer, module: Any) -> Iterator[Callable[[int], bool]]:
    """A test of sizes with the run's own model, which Lightning is about to place and convert as is done here."""
    module.configure_model()
    trainer.precision_plugin.convert_module(module)
    module.to(trainer.strategy.root_device)
    module.train()
    states, reserves = generator_states(), list(reserved(trainer, module))

    def fits(samples: int) -> bool:
        batch = large_batch(trainer.datamodule, samples)  # type: ignore[attr-defined]
        try:
            with torch.compiler.set_stance("force_eager"):  # nothing is compiled for sizes that are not kept
                if samples > 1 and not affordable(trainer, module, batch):
                    return False
                rehearse(trainer, module, batch, reserves)
            return True
        except (RuntimeError, MemoryError) as error:
            if not ran_out(error):
                raise
            return False
        finally:
            module.zero_grad(set_to_none=True)
            gc.collect()
            torch.cuda.empty_cache()

    try:
        yield fits
    finally:
        restore(states)


def rehearse(trainer: L.Trainer, module: Any, batch: Batch, reserves: list[int]) -> None:
    """Forward and backward passes while all is there that training will have there beside it.

    The second finds memory in the pieces that the first left, and may need more of it.
    """
    device = trainer.strategy.root_device
    held = [torch.empty(room, dtype=torch.uint8, device=device) for room in reserves]
    for parameter in module.model.parameters():
        if parameter.requires_grad:
            parameter.grad = torch.zeros_like(parameter)
    placed = trainer.strategy.batch_to_device(trainer.precision_plugin.convert_input(batch), device)
    for _ in range(2):
        with trainer.precision_plugin.train_step_context():
            loss = module.objective(module.model, placed).loss
        loss.backward()
    held.clear()


def reserved(trainer: L.Trainer, module: Any) -> Iterator[int]:
    """Bytes that a trial does not take by itself: the optimizer's state, a moving average, and a margin."""
    yield optimizer_memory(module.model, module.new_optimizer)
    if any(isinstance(callback, MovingAverage) for callback in trainer.callbacks):  # type: ignore[attr-defined]
        yield 4 * parameter_count(module.model)
    yield int(MARGIN * (free_memory(module.device) or 0))


def affordable(trainer: L.Trainer, module: Any, batch: Batch) -> bool:
    """Whether a CPU has the memory by estimate: there the system would kill the process that tries in vain."""
    device = trainer.strategy.root_device
    free = free_memory(device) if device.type == "cpu" else None
    if free is None:
        return True
    memory = training_memory(
        module.model,
        module.objective,
        batch,
        module.new_optimizer,
        device=device,
        precision=str(trainer.precision),
        checkpointing=module.checkpointing,
        accumulates=True,
    )
    return memory.total - memory.weights <= USABLE * free / trainer.num_devices  # the weights are there already


def large_batch(data: DataModule, samples: int) -> Batch:
    """As many training samples as one batch; of a few such batches the one with the most numbers."""
    view = data.view("train")
    order = TrainingOrder(len(view), seed=data.seed, batch=samples, steps=LOOKED_AT, share=Share(samples))
    return max(loader(view, order, data.objective.collate, seed=data.seed), key=numbers)


def numbers(batch: Batch) -> int:
    return sum(value.numel() for value in batch.values() if isinstance(value, Tensor))
