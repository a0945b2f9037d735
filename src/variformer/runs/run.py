"""A run, made from its config in two steps: `prepare` finds what it learns from, `build` makes what trains."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import lightning as L
from omegaconf import OmegaConf
from torch import nn

from ..config import ConfigError, build_model, instantiate
from ..config.schema import Experiment, experiment
from ..config.tree import merged
from ..hub import locate
from ..layers import Block, Transformer
from ..run_directory.directory import RunDirectory, write_text
from ..run_directory.newest import step_of
from ..training.callbacks import AutoMicroBatch
from ..training.data_module import DataModule, OneBatch
from ..training.module import Training
from ..training.signals import Signals
from ..training.tuning import parameter_groups
from .data_identity import data_facts, require_same_data
from .head import labels_of_source, require_readable_body, with_facts
from .origins import find_teacher
from .repeating import repetition
from .task import Task, build_task, number_of_steps
from .teacher import bring_teacher, require_same_teacher
from .trainer import build_trainer, micro_batch
from .tuning import tune, untaught_parts
from .warm_start import start_from

Config = dict[str, Any]


@dataclass
class Preparation:
    """What a run learns from, before anything is built that trains.

    `config` holds the settings that the code reads. `kept` holds the same as plain values, for config.yaml and
    run.json.
    `facts` are for run.json: the marks by which data, teacher and earlier models are recognised.
    """

    directory: RunDirectory
    config: Experiment
    kept: Config
    task: Task
    steps: int
    checkpoint: Path | None = None
    facts: dict[str, Any] = field(default_factory=dict)


@dataclass
class Run(Preparation):
    """A run that is ready to train or to be evaluated, with all that it is made of."""

    trainer: L.Trainer = field(kw_only=True)
    module: Training = field(kw_only=True)
    data_module: DataModule = field(kw_only=True)


def prepare(config: Config, directory: RunDirectory, checkpoint: Path | None = None) -> Preparation:
    """Find the models that the run builds on, prepare its data, and load its teacher.

    `config` is checked; `checkpoint` is where a resumed run goes on.
    Raises FileNotFoundError where a model is missing.
    Raises ConfigError where data or teacher are not those of the run that is resumed.
    """
    settings = experiment(config)
    if settings.init_from and not settings.resume:
        locate(settings.init_from)  # now, because preparing the data may take hours
    require_readable_body(settings)
    teacher = find_teacher(config)
    L.seed_everything(settings.seed, verbose=False)
    task = build_task(settings, directory.tokenizer if settings.resume else None)
    facts: dict[str, Any] = {"data": data_facts(task.data)}
    if settings.resume:
        require_same_data(directory, task.data, config)
    if taught_by := bring_teacher(teacher, config, task):
        facts["teacher"] = taught_by
        if settings.resume:
            require_same_teacher(directory, taught_by)
    if (labels := labels_of_source(settings, task)) and not settings.resume:
        settings.data = {**settings.data, "labels": labels}
        config = config | {"data": settings.data}
        task = build_task(settings)
    if task.found_settings:
        config = config | {"data": merged(config["data"], task.found_settings)}
        settings.data = config["data"]
    settings.head = with_facts(settings, task)
    kept = config | {"resume": False, "head": settings.head}
    return Preparation(directory, settings, kept, task, number_of_steps(settings, task), checkpoint, facts)


def build(preparation: Preparation, signals: Signals | None = None) -> Run:
    """Build the Trainer, the module and the data module, and give a new run its first weights.

    Raises ConfigError where they do not fit each other, or where the weights of `init_from` do not fit.
    """
    config, task = preparation.config, preparation.task
    trainer = build_trainer(
        config,
        preparation.directory,
        preparation.steps,
        resume_step=step_of(preparation.checkpoint) if preparation.checkpoint else None,
        signals=signals,
        more=[micro_batch_search(preparation)] if config.trainer.auto_micro_batch else [],
    )
    data_module = build_data_module(config, task, preparation.steps, trainer.world_size)
    module = build_module(config, task)
    facts = preparation.facts
    if preparation.checkpoint is None:
        task.objective.initialise(module.model)
    if config.init_from and not config.resume:
        facts["init_from"] = start_from(
            config.init_from, module.model, task.tokenizer, config.model, config.data.get("labels")
        )
    tune(module.model, config.tuning, untaught_parts(module.model, facts, bool(config.resume)))
    if config.repeat and not config.resume:
        facts["repeats"] = repetition(preparation.kept, facts)
    return Run(**vars(preparation), trainer=trainer, module=module, data_module=data_module)


def micro_batch_search(preparation: Preparation) -> AutoMicroBatch:
    """The callback that looks for the largest micro batch, and writes down the one that it has found."""
    directory, config, kept = preparation.directory, preparation.config, preparation.kept

    def found(micro: int) -> None:
        """A resumed or repeated run takes this micro batch instead of searching."""
        config.micro_batch, config.trainer.auto_micro_batch = micro, False
        kept.update(micro_batch=micro, trainer=kept["trainer"] | {"auto_micro_batch": False})
        keep_config(directory, kept)
        directory.amend_record(micro_batch=micro, config=kept)
        print(f"auto_micro_batch: {micro} samples at a time are the most that fit", flush=True)

    return AutoMicroBatch(found, evaluate_alike=config.eval_batch is None)


def keep_config(directory: RunDirectory, kept: Config) -> None:
    """Write config.yaml."""
    write_text(directory.config, OmegaConf.to_yaml(OmegaConf.create(kept)))


def build_module(config: Experiment, task: Task) -> Training:
    """The LightningModule. Raises ConfigError where the model has no blocks, and a setting needs them."""
    model = build_model(vars(config))
    if problems := list(missing_blocks(config, model)):
        raise ConfigError(problems)
    return Training(
        model,
        task.objective,
        instantiate(config.optimizer, "optimizer"),
        instantiate(config.schedule, "schedule"),
        parameter_groups=partial(
            parameter_groups, layer_decay=config.tuning.layer_decay, head_lr=config.tuning.head_lr
        ),
        clip=config.clip,
        compile=config.compile,
        checkpointing=config.checkpointing,
        metrics={name: instantiate(node, f"metrics.{name}") for name, node in config.metrics.items() if node},
    )


def missing_blocks(config: Experiment, model: nn.Module) -> Iterator[str]:
    """Problems of the settings that work block by block, for a model that has no blocks."""
    cure = f"but {type(model).__name__} has none; see the contract in variformer.models"
    if not any(isinstance(part, Block) for part in model.modules()):
        if config.compile != "none":
            yield f"compile: is done to each variformer.layers.Block, {cure}; set compile=none"
        if config.trainer.strategy == "fsdp":
            yield f"trainer.strategy: fsdp splits each variformer.layers.Block, {cure}; set trainer=ddp"
    if config.checkpointing and not any(isinstance(part, Transformer) for part in model.modules()):
        yield f"checkpointing: is done by variformer.layers.Transformer, {cure}; set checkpointing=false"


def build_data_module(config: Experiment, task: Task, steps: int, devices: int) -> DataModule:
    """The LightningDataModule, for `steps` optimizer steps on `devices` devices."""
    kind = OneBatch if config.trainer.one_batch else DataModule
    return kind(
        task.data,
        task.objective,
        seed=config.seed,
        global_batch=config.global_batch,
        micro_batch=micro_batch(config, devices),
        eval_batch=config.eval_batch or micro_batch(config, devices),
        max_steps=steps,
        validation_samples=config.trainer.validation_samples,
        workers=config.trainer.workers,
        buckets=config.trainer.buckets,
    )
