"""What `variformer train` does once the config is known to be good."""

import logging
import time
import warnings
from typing import Any

import lightning as L
import torch
from omegaconf import OmegaConf

from ..analysis.cost import parameter_count
from ..analysis.figures import draw_curves
from ..config import leads
from ..config.composing.repeating import changed_values
from ..hub import locate
from ..training.callback import add_callback
from ..training.resuming.checkpoint_io import require_saved
from ..training.resuming.resumption import OnAccepted
from ..run_directory.curves import read_curves
from ..training.loggers import show_figures
from ..training.module import Training
from ..training.non_finite.finite import require_finite_value
from ..run_directory.newest import newest, step_of
from ..run_directory.directory import RunDirectory, code_state, write_json, write_text
from ..searching import Pruned
from ..training.signals import Signals
from .build import Config, build_data_module, build_module, build_task, build_trainer, steps
from .resumed_changes import changes, final_value, finished, last_session
from .ending import conclude
from .data_identity import data_facts, require_same_data
from .memory import explained
from ..exchange.outgoing import exports
from .pace import warnings_of
from .repeating import repetition
from .origins import find_teacher
from .warm_start import start_from
from .stopping import reported, tell
from .teacher import bring_teacher, require_same_teacher
from .timing import process_seconds

log = logging.getLogger(__name__)


def train(config: Config) -> float:
    """Run one experiment to its end; the value that the objective watches. Leaves a complete run directory.

    A run that is finished already is left as it is. Raises Refused where a run cannot be resumed as the config says.
    """
    run = RunDirectory(config["run_dir"], leads=leads())
    if config["resume"] and (line := finished(config, run)):
        if run.leads:
            tell(line)
        return final_value(config, run)
    if run.leads and not config["resume"]:
        run.path.mkdir(parents=True, exist_ok=True)
        keep_config(config, run)
    with reported(run, requeue=config["trainer"].get("requeue", True)) as signals:
        return fit(config, run, signals)


def fit(config: Config, run: RunDirectory, signals: Signals | None = None) -> float:
    quieten()
    began = time.perf_counter()
    checkpoint = (newest(run) or run.checkpoint("last")) if config["resume"] else None
    source = None if config["resume"] else config.get("init_from")
    if source:
        locate(source)  # now, because preparing the data may take hours
    teacher = find_teacher(config)
    L.seed_everything(config["seed"], verbose=False)
    task = build_task(config, run.tokenizer if config["resume"] else None)
    if config["resume"]:
        require_same_data(run, task.data, config)
    taught_by = bring_teacher(teacher, config, task)
    if config["resume"]:
        require_same_teacher(run, taught_by)
    if task.tokenizer is not None and not config["resume"] and run.leads:
        task.tokenizer.save(run.tokenizer)
    total = steps(config, task)
    trainer = build_trainer(config, run, total, step_of(checkpoint) if checkpoint else None, signals)
    data_module = build_data_module(config, task, trainer.world_size)
    module = build_module(config, task)
    if checkpoint is None:
        task.objective.initialise(module.model)
    else:
        lines = changes(config, run, checkpoint, module, data_module, total)
        for line in lines if run.leads else ():
            tell(line)
    facts = {
        "name": config["name"],
        "seed": config["seed"],
        "parameters": parameter_count(module.model),
        "max_steps": total,
        "data": data_facts(task.data),
        "config": config | {"resume": False},
    }
    if taught_by:
        facts["teacher"] = taught_by
    if source:
        facts["init_from"] = start_from(source, module.model, task.tokenizer, config["model"])
    facts |= repetition(config, facts)
    exported = exports(module.model, config["model"])  # before a strategy changes the classes of its parts
    if trainer.is_global_zero:
        keep(config, run, facts, trainer)
        announce(config, run, facts, trainer)
        for warning in warnings_of(config, task.data.report, trainer, module, data_module):
            log.warning(warning)
    for logger in trainer.loggers:
        logger.log_hyperparams(config | {"parameters": facts["parameters"], "code": code_state()})
    with explained(config, trainer, module, data_module):
        try:
            trainer.fit(module, data_module, ckpt_path=checkpoint, weights_only=True)
        except Pruned:
            conclude(trainer, module, run)
            raise
        require_saved(trainer.strategy.checkpoint_io)
        value = finish(trainer, module, data_module, run, began, exported)
    return value


def finish(
    trainer: L.Trainer, module: Training, data_module: Any, run: RunDirectory, began: float, exported: str
) -> float:
    """Validate the final weights unless training just did, and leave metrics.json and the picture of the curves.

    `seconds` in metrics.json is this session's time for data, training and validation, without the start of Python.
    """
    if not module.is_validated():
        trainer.validate(module, data_module, verbose=False)
    require_finite_value(trainer.global_step, module)
    metrics, seconds = {f"val/{k}": v for k, v in module.results["val"].items()}, time.perf_counter() - began
    conclude(trainer, module, run)
    if trainer.is_global_zero:
        write_json(run.metrics, run.ending | {"seconds": round(seconds, 1)} | metrics)
        told = "  ".join(f"{name} {value:.4f}" for name, value in module.results["val"].items())
        tell(f"done in {process_seconds():.0f} s, {seconds:.0f} of them after the start of Python: {told}")
        figure = draw_curves(read_curves(run.curves), run.figures / "curves.png")
        show_figures(trainer.loggers, run.figures, trainer.global_step)
        for sample in sorted(run.samples.glob("*.txt"))[-1:]:
            tell(f"\n{sample.read_text()}")
        tell(f"run directory: {run.path}\ncurves: {figure}\nexports: {exported}")
    return module.results["val"][module.objective.monitor]


def keep(config: Config, run: RunDirectory, facts: dict[str, Any], trainer: L.Trainer) -> None:
    """Write down what the run is; of a resumed one only once its checkpoint is accepted."""
    if not config["resume"]:
        run.set_record(**facts)
        return

    before = (last_session(run) or {}).get("config")

    def accepted() -> None:
        keep_config(config, run)
        settled = config | {"resume": False}  # the micro batch may have been found since
        run.set_record(changed=list(changed_values(before or settled, settled)), **facts | {"config": settled})

    add_callback(trainer, OnAccepted(accepted))


def keep_config(config: Config, run: RunDirectory) -> None:
    write_text(run.config, OmegaConf.to_yaml(OmegaConf.create(config | {"resume": False})))


def announce(config: Config, run: RunDirectory, facts: dict[str, Any], trainer: L.Trainer) -> None:
    print(
        f"{config['name']}: {facts['parameters']:,} parameters, {facts['max_steps']:,} steps of "
        f"{config['global_batch']} samples, {trainer.world_size} x {trainer.strategy.root_device.type}, "
        f"{config['precision']}, compile {config['compile']}\nrun directory: {run.path}",
        flush=True,
    )


def quieten() -> None:
    """Leave out what Lightning says of settings that are chosen here on purpose."""
    for package in ("pytorch", "fabric"):
        logging.getLogger(f"lightning.{package}").setLevel(logging.WARNING)
    if not leads():
        logging.getLogger().setLevel(logging.ERROR)  # rank zero has said it
    for message in (
        ".*does not have many workers.*",
        ".*ended before the epoch ended and your dataloader is not resumable.*",
        ".*Trying to infer the `batch_size`.*",
        ".*`isinstance.treespec, LeafSpec.` is deprecated.*",
        ".*You are using `torch.load`.*",
        ".*sync_dist=True.*",  # what is logged is already that of all devices
        ".*Detected call of `lr_scheduler.step.*",  # where the first step is left out
    ):
        warnings.filterwarnings("ignore", message)
    torch.set_float32_matmul_precision("high")  # TF32 where there is a GPU; no effect on a CPU
