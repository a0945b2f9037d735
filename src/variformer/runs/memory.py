"""The memory that a training step takes, and what to change where that is more than there is."""

import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any, NamedTuple

import torch

from ..analysis.cost import parameter_count
from ..analysis.machine_memory import OutOfMemory, ran_out
from ..analysis.memory import Memory, readable, training_memory
from ..config.checking.consistency import inconsistencies
from ..training.callback import weight_copies
from ..training.devices.sharding import ShardedStrategy, unsharded_outline
from ..training.memory.micro_batch import divisors
from ..training.memory.rehearsal import large_batch
from .run import Run

log = logging.getLogger(__name__)

CHEAPER = {"32-true": "bf16-mixed", "bf16-mixed": "bf16-true"}
WORTHWHILE = 0.98  # of the present memory: a setting that saves less is not named


class Lever(NamedTuple):
    """A setting that may save memory: its words on the command line, its present value, and the bytes of a step with
    it.
    """

    setting: str
    present: str
    bytes: int | None = None


@contextmanager
def explained(run: Run) -> Iterator[None]:
    """Around training and evaluation: where memory runs out, the error says what to change. Raises OutOfMemory."""
    try:
        yield
    except (RuntimeError, MemoryError, OSError) as error:
        if not ran_out(error):
            raise
        advice = training_advice if run.module.training else evaluation_advice
        raise OutOfMemory(advice(run)) from error


def evaluation_advice(run: Run) -> str:
    batch = run.data_module.eval_batch
    cure = f"set eval_batch={batch // 2}" if batch > 1 else "take shorter samples or a smaller model"
    return f"out of memory on {run.trainer.strategy.root_device} while evaluating eval_batch={batch}: {cure}"


def training_advice(run: Run) -> str:
    """The settings that save memory, the largest saving first. Without figures where a step cannot be estimated."""
    estimate, micro = estimator(run), run.data_module.micro_batch
    present = estimate()
    found = [
        lever
        for lever in levers(run, present, estimate)
        if present is None or lever.bytes is None or lever.bytes < WORTHWHILE * present.total
    ]
    found.sort(key=lambda lever: lever.bytes or 0)
    head = f"out of memory on {run.trainer.strategy.root_device} with micro_batch={micro}"
    if present is not None:
        head += f", where a training step takes about {readable(present.total)}: {parts(present)}"
    width = max((len(lever.setting) for lever in found), default=0)
    lines = [
        f"  {lever.setting:<{width}}  instead of {lever.present}"
        + (f": about {readable(lever.bytes)}" if lever.bytes is not None else "")
        for lever in found
    ]
    order = "" if present is None else ", the first saves most"
    lines.insert(0, f"{head}.\nTo take less, set one or more of these{order}:")
    if micro > 1 and run.config.trainer.strategy != "fsdp":
        lines.append("trainer.auto_micro_batch=true finds the largest micro batch that fits, for the same global batch")
    return "\n".join(lines)


def parts(memory: Memory) -> str:
    """What the memory of a step is used for, in words."""
    copies = f", copies of the weights {readable(memory.copies)}" if memory.copies else ""
    return (
        f"weights {readable(memory.weights)}, gradients {readable(memory.gradients)}, optimizer "
        f"{readable(memory.optimizer)}{copies}, activations {readable(memory.activations)}"
    )


def levers(run: Run, present: Memory | None, estimate: Callable[..., Memory | None]) -> Iterator[Lever]:
    """Each setting that may save memory, with what a step then takes where that is known."""
    config, micro = run.config, run.data_module.micro_batch

    def taken(**changes: Any) -> int | None:
        memory = estimate(**changes) if present is not None else None
        return memory.total if memory is not None else None

    def shrunk(share: float) -> int | None:
        return round(present.lasting + present.activations * share) if present is not None else None

    if micro > 1:
        fewer = divisors(micro)[-2]
        yield Lever(f"micro_batch={fewer}", str(micro), taken(micro_batch=fewer))
    if not config.checkpointing:
        yield Lever("checkpointing=true", "false", taken(checkpointing=True))
    if cheaper := CHEAPER.get(config.precision):
        yield Lever(f"precision={cheaper}", config.precision, taken(precision=cheaper))
    if config.length is not None and config.length > 1:
        yield Lever(f"length={config.length // 2}", str(config.length), shrunk(0.5))
    elif side := config.data.get("image_size"):
        patch = config.model.get("patch_size", 1)
        smaller = max(side // 2 // patch, 1) * patch
        if smaller < side:
            yield Lever(f"data.image_size={smaller}", str(side), shrunk((smaller / side) ** 2))
    used = run.trainer.world_size
    devices = used if used > 1 else torch.cuda.device_count()
    sharded = run.kept | {"trainer": run.kept["trainer"] | {"strategy": "fsdp", "devices": devices}}
    if config.trainer.strategy != "fsdp" and devices > 1 and not any(inconsistencies(sharded)):
        more = "" if used > 1 else f" trainer.devices={devices}"
        shared = present.sharded(devices).total if present is not None else None
        yield Lever(f"trainer=fsdp{more}", f"a whole model on each of {used} device(s)", shared)


def estimator(run: Run) -> Callable[..., Memory | None]:
    """A function from changed settings to the memory of a step. The function returns None where it cannot estimate a
    step.
    """

    module, strategy = run.module, run.trainer.strategy

    def estimate(
        micro_batch: int = run.data_module.micro_batch,
        checkpointing: bool = run.config.checkpointing,
        precision: str = run.config.precision,
    ) -> Memory | None:
        try:
            memory = training_memory(
                unsharded_outline(strategy, module.model),
                module.objective,
                large_batch(run.data_module, micro_batch),
                module.new_optimizer,
                device=strategy.root_device,
                precision=precision,
                checkpointing=checkpointing,
                accumulates=micro_batch * run.trainer.world_size < run.config.global_batch,
            )
        except Exception as error:  # any operation of a user's part may lack a fake counterpart
            log.debug("no estimate of memory: %r", error)
            return None
        return as_trained(memory, run)

    return estimate


def as_trained(memory: Memory, run: Run) -> Memory:
    """The memory of one device: with the copies of the weights that callbacks keep, and divided where it is sharded."""
    trainer = run.trainer
    memory = replace(memory, copies=4 * weight_copies(trainer) * parameter_count(run.module.model))
    return memory.sharded(trainer.world_size) if isinstance(trainer.strategy, ShardedStrategy) else memory
