"""What `python train.py` does once the config is known to be good."""

import logging
import os
import time
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import lightning as L
import torch
from omegaconf import OmegaConf

from ..analysis.cost import parameter_count
from ..analysis.figures import draw_curves
from ..hub import locate
from ..training.loggers import read_curves
from ..training.module import Training
from ..training.run_directory import RunDirectory, code_state, write_json
from .build import Config, build_data_module, build_module, build_task, build_trainer, steps
from .sources import find_teacher
from .starting import start_from
from .teacher import bring_teacher, require_same_teacher

log = logging.getLogger(__name__)


def train(config: Config) -> float:
    """Run one experiment to its end; the value that the objective watches. Leaves a complete run directory."""
    run = RunDirectory(config["run_dir"])
    run.path.mkdir(parents=True, exist_ok=True)
    OmegaConf.save(OmegaConf.create(config | {"resume": False}), run.config)
    with reported(run):
        return fit(config, run)


def fit(config: Config, run: RunDirectory) -> float:
    quieten()
    began = time.perf_counter()
    source = None if config["resume"] else config.get("init_from")
    if source:
        locate(source)  # now, because preparing the data may take hours
    teacher = find_teacher(config)
    L.seed_everything(config["seed"], verbose=False)
    task = build_task(config, run.tokenizer if config["resume"] else None)
    taught_by = bring_teacher(teacher, config, task)
    if config["resume"]:
        require_same_teacher(run, taught_by)
    if task.tokenizer is not None and not config["resume"]:
        task.tokenizer.save(run.tokenizer)
    total = steps(config, task)
    checkpoint = run.checkpoint("last") if config["resume"] else None
    trainer = build_trainer(config, run, total, step_of(checkpoint))
    data_module = build_data_module(config, task, trainer.world_size)
    module = build_module(config, task)
    if not config["resume"]:
        task.objective.initialise(module.model)
    facts = {
        "name": config["name"],
        "seed": config["seed"],
        "parameters": parameter_count(module.model),
        "max_steps": total,
        "data": {"fingerprint": task.data.fingerprint, **task.data.report},
    }
    if taught_by:
        facts["teacher"] = taught_by
    if source:
        facts["init_from"] = start_from(source, module.model, task.tokenizer)
    if trainer.is_global_zero:
        run.set_record(**facts)
        announce(config, run, facts, trainer)
    for logger in trainer.loggers:
        logger.log_hyperparams(config | {"parameters": facts["parameters"], "code": code_state()})
    trainer.fit(module, data_module, ckpt_path=checkpoint, weights_only=True)
    value = finish(trainer, module, data_module, run, time.perf_counter() - began)
    return value


def finish(trainer: L.Trainer, module: Training, data_module: Any, run: RunDirectory, seconds: float) -> float:
    """Validate the final weights, and leave metrics.json and the picture of the curves."""
    trainer.validate(module, data_module, verbose=False)
    metrics = {f"val/{name}": value for name, value in module.results["val"].items()}
    if trainer.is_global_zero:
        write_json(run.metrics, {"step": trainer.global_step, "seconds": round(seconds, 1)} | metrics)
        figure = draw_curves(read_curves(run.curves), run.figures / "curves.png")
        told = "  ".join(f"{name} {value:.4f}" for name, value in module.results["val"].items())
        print(f"done in {seconds:.0f} s: {told}")
        for sample in sorted(run.samples.glob("*.txt"))[-1:]:
            print(f"\n{sample.read_text()}")
        print(f"run directory: {run.path}\ncurves: {figure}")
    return module.results["val"][module.objective.monitor]


def announce(config: Config, run: RunDirectory, facts: dict[str, Any], trainer: L.Trainer) -> None:
    print(
        f"{config['name']}: {facts['parameters']:,} parameters, {facts['max_steps']:,} steps of "
        f"{config['global_batch']} samples, {trainer.world_size} x {trainer.strategy.root_device.type}, "
        f"{config['precision']}, compile {config['compile']}\nrun directory: {run.path}",
        flush=True,
    )


def step_of(checkpoint: Any | None) -> int | None:
    """The step at which a checkpoint was written, from the file that `last` links to."""
    return (
        None if checkpoint is None else int(os.path.realpath(checkpoint).rpartition("step-")[2].removesuffix(".ckpt"))
    )


@contextmanager
def reported(run: RunDirectory) -> Iterator[None]:
    """Keep status.json true, whatever happens."""
    run.set_status("running")
    try:
        yield
    except (KeyboardInterrupt, SystemExit) as stop:
        run.set_status("preempted", stop)
        raise
    except BaseException as error:
        run.set_status("failed", error)
        raise
    run.set_status("done")


def quieten() -> None:
    """Leave out what Lightning says of settings that are chosen here on purpose."""
    logging.getLogger("lightning.pytorch").setLevel(logging.WARNING)
    for message in (
        ".*does not have many workers.*",
        ".*ended before the epoch ended and your dataloader is not resumable.*",
        ".*Trying to infer the `batch_size`.*",
        ".*`isinstance.treespec, LeafSpec.` is deprecated.*",
        ".*You are using `torch.load`.*",
    ):
        warnings.filterwarnings("ignore", message)
    torch.set_float32_matmul_precision("high")  # TF32 where there is a GPU; no effect on a CPU
