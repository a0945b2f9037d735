"""One micro batch on trial: forward and backward passes beside the memory that training takes besides."""

import gc
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import lightning as L
import torch
from torch import Tensor

from ...analysis.cost import parameter_count
from ...analysis.machine_memory import free_memory, ran_out
from ...analysis.memory import optimizer_memory, training_memory
from ...data.loader import loader
from ...data.order import BatchPart, TrainingOrder
from ...objectives.objective import Batch
from ..callback import weight_copies
from ..contract import TrainingModule, run_trainer
from ..data_module import DataModule
from ..resuming.random_state import generator_states, restore

MARGIN = 0.1  # of the free memory, left for fragments and for validation, samples and checkpoints
USABLE = 0.5  # of a CPU's free memory: its heap gets holes, and steps were seen to need 1.75 times their tensors
LOOKED_AT = 4  # batches, of which the trial takes the largest


@contextmanager
def rehearsal(trainer: L.Trainer, module: TrainingModule) -> Iterator[Callable[[int], bool]]:
    """A test whether a size fits. It uses the run's own model, placed and converted as Lightning will do it later."""
    module.configure_model()
    trainer.precision_plugin.convert_module(module)
    module.to(trainer.strategy.root_device)
    module.train()
    states, reserves = generator_states(), list(reserved(trainer, module))

    def fits(samples: int) -> bool:
        batch = large_batch(run_trainer(trainer).datamodule, samples)
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


def rehearse(trainer: L.Trainer, module: TrainingModule, batch: Batch, reserves: list[int]) -> None:
    """Forward and backward passes while all the memory is taken that training will take besides.

    The first pass leaves the memory in pieces, so the second one may need more.
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


def reserved(trainer: L.Trainer, module: TrainingModule) -> Iterator[int]:
    """Bytes that a trial does not take by itself: the optimizer's state, the callbacks' copies, and a margin."""
    yield optimizer_memory(module.model, module.new_optimizer)
    yield 4 * weight_copies(trainer) * parameter_count(module.model)
    yield int(MARGIN * (free_memory(module.device) or 0))


def affordable(trainer: L.Trainer, module: TrainingModule, batch: Batch) -> bool:
    """Whether a CPU has the memory by estimate: the system would kill a process that tries too much."""
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
    """A batch of so many training samples: the longest, or of the first few batches the one with the most numbers."""
    if (longest := data.longest(samples)) is not None:
        return longest
    view = data.view("train")
    order = TrainingOrder(len(view), seed=data.seed, batch=samples, steps=LOOKED_AT, part=BatchPart(samples))
    return max(loader(view, order, data.objective.collate, seed=data.seed), key=numbers)


def numbers(batch: Batch) -> int:
    return sum(value.numel() for value in batch.values() if isinstance(value, Tensor))
