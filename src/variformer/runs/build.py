"""From a checked config to the objects of a run. Hydra and OmegaConf end here: below, everything is plain arguments."""

import math
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import lightning as L
from torch import nn

from ..config import ConfigError, instantiate
from ..config.checking.check import needs_folder
from ..config.schema import TrainerSettings
from ..data import Pretrained
from ..layers import Block, Transformer
from ..objectives.objective import Objective
from ..training.callbacks import NonFinite, Preemption, Pruning, RandomState, Resumption
from ..training.callback import in_order
from ..training.resuming.checkpoint_io import WholeCheckpointIO
from ..training.data_module import DataModule, OneBatch
from ..training.loggers import CSV
from ..training.module import Training
from ..training.optimizer import decay_groups
from ..run_directory.directory import RunDirectory
from ..training.signals import Signals
from ..training.devices.strategies import environments, strategy
from .memory import micro_batch_search

Config = dict[str, Any]


@dataclass
class Task:
    """What is learned from what: prepared data and the objective that reads it."""

    data: Any
    objective: Objective
    tokenizer: Any | None


def build_task(config: Config, tokenizer_folder: Path | None = None) -> Task:
    """Prepare the data. With `tokenizer_folder`, that tokenizer takes the place of the config's."""
    if config["objective"] is None:
        raise ValueError(
            "this run has no objective yet: none here evaluates the head that its model was imported with; "
            "use variformer.load, `variformer export`, or init_from=... in training"
        )
    recipe = instantiate(config.get("tokenizer"), "tokenizer")
    if recipe is not None and tokenizer_folder is not None:
        recipe = Pretrained(str(tokenizer_folder))
    given = {} if recipe is None else {"tokenizer_recipe": recipe}
    data = instantiate(config["data"], "data", **given)
    data = data() if config["data"].get("_partial_") else data
    with refusals("data"):
        data.prepare()
    tokenizer = None if recipe is None else data.tokenizer
    size = config["model"].get("vocab_size")  # a model of one's own may have none
    if tokenizer is not None and size is not None and tokenizer.size > size:
        cure = "raise it, or train a smaller tokenizer"
        raise ConfigError([f"model.vocab_size: {size} is less than the tokenizer's {tokenizer.size} tokens; {cure}"])
    described = data if tokenizer is None else tokenizer
    with refusals("objective"):
        objective = instantiate(config["objective"], "objective")(described, config.get("length"))
    return Task(data, objective, tokenizer)


@contextmanager
def refusals(key: str) -> Iterator[None]:
    """Raise errors about what a config names as errors of the config, which are shown in one line."""
    try:
        yield
    except ConfigError:
        raise
    except (FileNotFoundError, PermissionError, ValueError) as error:
        raise ConfigError([f"{key}: {error}"]) from error


def build_module(config: Config, task: Task) -> Training:
    """What trains. Raises ConfigError where the model has no blocks, and a setting needs them."""
    model = instantiate(config["model"], "model")
    if problems := list(block_needs(config, model)):
        raise ConfigError(problems)
    return Training(
        model,
        task.objective,
        instantiate(config["optimizer"], "optimizer"),
        instantiate(config["schedule"], "schedule"),
        parameter_groups=decay_groups,
        clip=config["clip"],
        compile=config["compile"],
        checkpointing=config["checkpointing"],
        metrics={
            name: instantiate(node, f"metrics.{name}") for name, node in config.get("metrics", {}).items() if node
        },
    )


def block_needs(config: Config, model: nn.Module) -> Iterator[str]:
    """What of a config works block by block, for a model that is made of none."""
    cure = f"but {type(model).__name__} has none; see the contract in variformer.models"
    if not any(isinstance(part, Block) for part in model.modules()):
        if config["compile"] != "none":
            yield f"compile: is done to each variformer.layers.Block, {cure}; set compile=none"
        if config["trainer"]["strategy"] == "fsdp":
            yield f"trainer.strategy: fsdp splits each variformer.layers.Block, {cure}; set trainer=ddp"
    if config["checkpointing"] and not any(isinstance(part, Transformer) for part in model.modules()):
        yield f"checkpointing: is done by variformer.layers.Transformer, {cure}; set checkpointing=false"


def build_data_module(config: Config, task: Task, devices: int) -> DataModule:
    kind = OneBatch if config["trainer"].get("one_batch") else DataModule
    return kind(
        task.data,
        task.objective,
        seed=config["seed"],
        global_batch=config["global_batch"],
        micro_batch=micro_batch(config, devices),
        eval_batch=config["eval_batch"] or micro_batch(config, devices),
        max_steps=steps(config, task),
        validation_samples=config["trainer"]["validation_samples"],
        workers=config["trainer"]["workers"],
    )


def build_trainer(
    config: Config,
    run: RunDirectory,
    max_steps: int,
    resume_step: int | None = None,
    signals: Signals | None = None,
) -> L.Trainer:
    """Lightning's Trainer, with the global batch's accumulation derived from the number of devices."""
    settings = TrainerSettings(**config["trainer"])
    shown = config["callbacks"] if settings.progress else config["callbacks"] | {"bar": None}
    callbacks = [instantiate(node, f"callbacks.{name}") for name, node in shown.items() if node]
    callbacks += [NonFinite(config["on_non_finite"]), RandomState(config["seed"]), Resumption()]
    callbacks += [*Pruning.of_this_process(), Preemption(signals or Signals()), *micro_batch_search(config, run)]
    trainer = L.Trainer(
        accelerator=settings.accelerator,
        devices=settings.devices,
        num_nodes=settings.nodes,
        strategy=strategy(settings.strategy, settings.devices, settings.nodes),
        precision=config["precision"],
        max_epochs=-1,
        max_steps=max_steps,
        check_val_every_n_epoch=None,
        log_every_n_steps=settings.log_every,
        num_sanity_val_steps=0,
        deterministic=settings.deterministic,
        inference_mode=False,  # in which the split tensors of FSDP cannot be put together
        detect_anomaly=settings.detect_anomaly,
        callbacks=in_order(callbacks),
        logger=build_loggers(config, run, resume_step) if run.leads else [],
        plugins=[WholeCheckpointIO(tolerated=2), *environments()],
        default_root_dir=run.path,
        enable_checkpointing=False,
        enable_progress_bar=settings.progress,
        enable_model_summary=False,
        use_distributed_sampler=False,
    )
    trainer.accumulate_grad_batches = accumulation(config, trainer.world_size)
    every = settings.validate_every or max_steps
    trainer.val_check_interval = every * trainer.accumulate_grad_batches
    return trainer


def build_loggers(config: Config, run: RunDirectory, resume_step: int | None) -> list[Any]:
    """metrics.csv and the dashboards. One that is `_partial_`, as ours are, gets the run's directory, at what step the
    run goes on and how far an earlier session came; any other, as Lightning's, is built with its own arguments.
    """
    curves = CSV(run.curves, resume_step)
    dashboards = []
    for name, node in config["logger"].items():
        if node and node.get("_partial_"):
            dashboards.append(instantiate(node, f"logger.{name}")(str(run.path), resume_step, curves.last_step))
        elif node:
            place = {"save_dir": str(run.path)} if needs_folder(node) else {}
            dashboards.append(instantiate(node, f"logger.{name}", **place))
    return [curves, *dashboards]


def micro_batch(config: Config, devices: int) -> int:
    return config["micro_batch"] or max(config["global_batch"] // devices, 1)


def accumulation(config: Config, devices: int) -> int:
    """Micro batches of each device in one step. Raises ConfigError where the global batch does not divide into them."""
    whole, micro = config["global_batch"], micro_batch(config, devices)
    if whole % (micro * devices):
        product = f"{micro * devices}, which is micro_batch={micro} on {devices} devices"
        raise ConfigError([f"global_batch: {whole} is not divisible by {product}; change one of them"])
    return whole // (micro * devices)


def steps(config: Config, task: Task) -> int:
    """`max_steps`, or `max_epochs` converted."""
    if config["max_steps"] is not None:
        return config["max_steps"]
    samples = len(task.objective.view(task.data.split("train")))
    return max(1, math.ceil(config["max_epochs"] * samples / config["global_batch"]))
