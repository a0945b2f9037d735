"""What a run's training step takes, and what to change when that is more than there is."""

import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from typing import Any, NamedTuple

import lightning as L
import torch
from omegaconf import OmegaConf

from ..analysis.cost import parameter_count
from ..analysis.memory import Memory, readable, training_memory
from ..config.checking.consistency import Config, inconsistencies
from ..training.callback import weight_copies
from ..training.callbacks import AutoMicroBatch
from ..training.memory.micro_batch import divisors
from ..training.memory.rehearsal import large_batch
from ..training.data_module import DataModule
from ..analysis.machine_memory import OutOfMemory, ran_out
from ..training.module import Training
from ..run_directory.directory import RunDirectory, write_text
from ..training.devices.sharding import ShardedStrategy, unsharded_outline

log = logging.getLogger(__name__)

CHEAPER = {"32-true": "bf16-mixed", "bf16-mixed": "bf16-true"}
WORTHWHILE = 0.98  # of the present memory: what saves less is not named


class Lever(NamedTuple):
    """Something to change: what to write on the command line, what is there now, and what a step then takes."""

    setting: str
    present: str
    bytes: int | None = None


@contextmanager
def explained(config: Config, trainer: L.Trainer, module: Training, data: DataModule) -> Iterator[None]:
    """Around training and evaluation: where memory runs out, the error says what to change."""
    try:
        yield
    except (RuntimeError, MemoryError, OSError) as error:
        if not ran_out(error):
            raise
        advice = training_advice if module.training else evaluation_advice
        raise OutOfMemory(advice(config, trainer, module, data)) from error


def evaluation_advice(config: Config, trainer: L.Trainer, module: Training, data: DataModule) -> str:
    cure = (
        f"set eval_batch={data.eval_batch // 2}" if data.eval_batch > 1 else "take shorter samples or a smaller model"
    )
    return f"out of memory on {trainer.strategy.root_device} while evaluating eval_batch={data.eval_batch}: {cure}"


def training_advice(config: Config, trainer: L.Trainer, module: Training, data: DataModule) -> str:
    """The settings that save most, the largest saving first; without figures where a step cannot be estimated."""
    estimate = estimator(config, trainer, module, data)
    present = estimate()
    found = [
        lever
        for lever in levers(config, trainer, data.micro_batch, present, estimate)
        if present is None or lever.bytes is None or lever.bytes < WORTHWHILE * present.total
    ]
    found.sort(key=lambda lever: lever.bytes or 0)
    head = f"out of memory on {trainer.strategy.root_device} with micro_batch={data.micro_batch}"
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
    if data.micro_batch > 1 and config["trainer"]["strategy"] != "fsdp":
        lines.append("trainer.auto_micro_batch=true finds the largest micro batch that fits, for the same global batch")
    return "\n".join(lines)


def parts(memory: Memory) -> str:
    """What the memory is for, in words."""
    copies = f", copies of the weights {readable(memory.copies)}" if memory.copies else ""
    return (
        f"weights {readable(memory.weights)}, gradients {readable(memory.gradients)}, optimizer "
        f"{readable(memory.optimizer)}{copies}, activations {readable(memory.activations)}"
    )


def levers(
    config: Config, trainer: L.Trainer, micro: int, present: Memory | None, estimate: Callable[..., Memory | None]
) -> Iterator[Lever]:
    def taken(**changes: Any) -> int | None:
        memory = estimate(**changes) if present is not None else None
        return memory.total if memory is not None else None

    def shrunk(share: float) -> int | None:
        return round(present.lasting + present.activations * share) if present is not None else None

    if micro > 1:
        fewer = divisors(micro)[-2]
        yield Lever(f"micro_batch={fewer}", str(micro), taken(micro_batch=fewer))
    if not config["checkpointing"]:
        yield Lever("checkpointing=true", "false", taken(checkpointing=True))
    if cheaper := CHEAPER.get(config["precision"]):
        yield Lever(f"precision={cheaper}", config["precision"], taken(precision=cheaper))
    if (config["length"] or 1) > 1:
        yield Lever(f"length={config['length'] // 2}", str(config["length"]), shrunk(0.5))
    elif side := config["data"].get("image_size"):
        patch = config["model"].get("patch_size", 1)
        smaller = max(side // 2 // patch, 1) * patch
        if smaller < side:
            yield Lever(f"data.image_size={smaller}", str(side), shrunk((smaller / side) ** 2))
    devices = trainer.world_size if trainer.world_size > 1 else torch.cuda.device_count()
    sharded = config | {"trainer": config["trainer"] | {"strategy": "fsdp", "devices": devices}}
    if config["trainer"]["strategy"] != "fsdp" and devices > 1 and not any(inconsistencies(sharded)):
        more = "" if trainer.world_size > 1 else f" trainer.devices={devices}"
        shared = present.sharded(devices).total if present is not None else None
        yield Lever(f"trainer=fsdp{more}", f"a whole model on each of {trainer.world_size} device(s)", shared)


def estimator(config: Config, trainer: L.Trainer, module: Training, data: DataModule) -> Callable[..., Memory | None]:
    """A function of changed settings to the memory of a step, or to None where a step cannot be rehearsed."""

    def estimate(
        micro_batch: int = data.micro_batch,
        checkpointing: bool = config["checkpointing"],
        precision: str = config["precision"],
    ) -> Memory | None:
        try:
            memory = training_memory(
                unsharded_outline(trainer.strategy, module.model),
                module.objective,
                large_batch(data, micro_batch),
                module.new_optimizer,
                device=trainer.strategy.root_device,
                precision=precision,
                checkpointing=checkpointing,
                accumulates=micro_batch * trainer.world_size < config["global_batch"],
            )
        except Exception as error:  # whatever operation of a user's part has no fake counterpart
            log.debug("no estimate of memory: %r", error)
            return None
        return as_trained(memory, trainer, module)

    return estimate


def as_trained(memory: Memory, trainer: L.Trainer, module: Training) -> Memory:
    """With the copies of the weights that callbacks keep, and divided by the devices of a sharded model."""
    memory = replace(memory, copies=4 * weight_copies(trainer) * parameter_count(module.model))
    return memory.sharded(trainer.world_size) if isinstance(trainer.strategy, ShardedStrategy) else memory


def micro_batch_search(config: Config, run: RunDirectory) -> list[AutoMicroBatch]:
    """The callback that looks for the micro batch, where one is asked for."""
    if not config["trainer"].get("auto_micro_batch"):
        return []
    return [AutoMicroBatch(partial(settle, config, run), evaluate_alike=config["eval_batch"] is None)]


def settle(config: Config, run: RunDirectory, micro: int) -> None:
    """Write down the micro batch that was found: a resumed or repeated run takes it instead of searching."""
    config |= {"micro_batch": micro, "trainer": config["trainer"] | {"auto_micro_batch": False}}
    settled = config | {"resume": False}
    write_text(run.config, OmegaConf.to_yaml(OmegaConf.create(settled)))
    run.amend_record(micro_batch=micro, config=settled)
    print(f"auto_micro_batch: {micro} samples at a time are the most that fit", flush=True)
