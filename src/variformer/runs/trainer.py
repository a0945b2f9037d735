"""Lightning's Trainer, as the config of a run describes it."""

from typing import Any

import lightning as L

from ..config import ConfigError, instantiate
from ..config.checking.defaults import needs_folder
from ..config.schema import Experiment
from ..run_directory.directory import RunDirectory
from ..training.callback import in_order
from ..training.callbacks import NonFinite, Preemption, Pruning, RandomState, Resumption
from ..training.contract import RunTrainer
from ..training.devices.strategies import environments, strategy
from ..training.loggers import CSV
from ..training.resuming.checkpoint_io import WholeCheckpointIO
from ..training.schedules import interval
from ..training.signals import Signals


def build_trainer(
    config: Experiment,
    directory: RunDirectory,
    max_steps: int,
    *,
    resume_step: int | None = None,
    signals: Signals | None = None,
    more: list[L.Callback] | None = None,
) -> RunTrainer:
    """A Trainer of `max_steps` optimizer steps, whose accumulation follows from the global batch and the devices.

    `resume_step` is the step of the checkpoint from which the run goes on. `more` are callbacks beside the config's.
    Raises ConfigError where the global batch does not divide into micro batches.
    """
    settings = config.trainer
    shown = config.callbacks if settings.progress else config.callbacks | {"bar": None}
    callbacks = [instantiate(node, f"callbacks.{name}") for name, node in shown.items() if node]
    callbacks += [NonFinite(config.on_non_finite), RandomState(config.seed), Resumption()]
    callbacks += [*Pruning.of_this_process(), Preemption(signals or Signals()), *(more or [])]
    trainer = RunTrainer(
        accelerator=settings.accelerator,
        devices=settings.devices,
        num_nodes=settings.nodes,
        strategy=strategy(settings.strategy, settings.devices, settings.nodes),
        precision=config.precision,
        max_epochs=-1,
        max_steps=max_steps,
        check_val_every_n_epoch=None,
        log_every_n_steps=settings.log_every,
        num_sanity_val_steps=0,
        deterministic=settings.deterministic,
        inference_mode=False,  # inference mode cannot gather the sharded tensors of FSDP
        detect_anomaly=settings.detect_anomaly,
        callbacks=in_order(callbacks),
        logger=build_loggers(config, directory, resume_step) if directory.leads else [],
        plugins=[WholeCheckpointIO(tolerated=2), *environments()],
        default_root_dir=directory.path,
        enable_checkpointing=False,
        enable_progress_bar=settings.progress,
        enable_model_summary=False,
        use_distributed_sampler=False,
    )
    trainer.accumulate_grad_batches = accumulation(config, trainer.world_size)
    trainer.val_check_interval = interval(settings.validate_every, max_steps) * trainer.accumulate_grad_batches
    return trainer


def build_loggers(config: Experiment, directory: RunDirectory, resume_step: int | None) -> list[Any]:
    """The logger of metrics.csv, and those of the dashboards that the config names.

    A dashboard of ours, which is `_partial_`, gets the run's directory, the step at which the run goes on, and the last
    step of the session before. Any other, such as one of Lightning's, is built with its own arguments.
    """
    curves = CSV(directory.curves, resume_step)
    dashboards = []
    for name, node in config.logger.items():
        if node and node.get("_partial_"):
            dashboards.append(instantiate(node, f"logger.{name}")(str(directory.path), resume_step, curves.last_step))
        elif node:
            place = {"save_dir": str(directory.path)} if needs_folder(node) else {}
            dashboards.append(instantiate(node, f"logger.{name}", **place))
    return [curves, *dashboards]


def micro_batch(config: Experiment, devices: int) -> int:
    """Samples that one device takes at a time."""
    return config.micro_batch or max(config.global_batch // devices, 1)


def accumulation(config: Experiment, devices: int) -> int:
    """Micro batches of each device in one step. Raises ConfigError where the global batch does not divide into them."""
    micro = micro_batch(config, devices)
    if config.global_batch % (micro * devices):
        product = f"{micro * devices}, which is micro_batch={micro} on {devices} devices"
        raise ConfigError([f"global_batch: {config.global_batch} is not divisible by {product}; change one of them"])
    return config.global_batch // (micro * devices)
