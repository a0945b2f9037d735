"""What `variformer evaluate` does: rebuild a run from its directory and score it."""

import sys
from pathlib import Path
from typing import Any, NamedTuple

import lightning as L
from lightning.pytorch.utilities.exceptions import MisconfigurationException
from torch import nn

from ..analysis.machine_memory import OutOfMemory
from ..config import check
from ..config.composing.absolute_paths import with_absolute_paths
from ..config.schema import experiment
from ..config.tree import merged
from ..exchange.loading import load_run, run_config
from ..hub import locate
from ..run_directory.checkpoint_files import digest_of
from ..run_directory.directory import RunDirectory, write_json
from ..training.callbacks import EvaluationBar
from ..training.module import Training
from .console import quieten
from .data_identity import data_facts, difference
from .memory import explained
from .run import Config, Preparation, Run, build_data_module
from .task import Task, build_task, number_of_steps
from .teacher import best_or_last, digest, require_same_inputs, whole_model

REFUSALS = (
    OSError,
    ValueError,
    OutOfMemory,
    MisconfigurationException,
)  # whose message is enough: no traceback is shown


class Scored(NamedTuple):
    """A model, the facts that are kept with its metrics, and a note that keeps them apart from the run's own
    metrics.
    """

    model: nn.Module
    facts: dict[str, str]
    note: str = ""


def evaluate_run(
    run_dir: str,
    split: str = "val",
    checkpoint: str | None = None,
    eval_batch: int | None = None,
    other_model: str | None = None,
    data: Config | None = None,
    data_anyway: bool = False,
) -> dict[str, float]:
    """Metrics of one split with the weights of `last` or `best`, by the code path that training used.

    `eval_batch` is the number of samples at a time; by default that of a run on one device.
    `other_model`, such as a teacher, is scored in place of the run's own model, on exactly the same inputs.
    `data` holds values that replace those in the run's config. `data_anyway` allows data that are not the run's.
    The run directory keeps the metrics. Those of another model or of other data go into a file of their own.

    Raises ValueError for an unknown split, a run without an objective, other data, or a model that cannot read them.
    Raises FileNotFoundError where there is no run or no such checkpoint, and OutOfMemory.
    """
    if split not in ("val", "test"):
        raise ValueError(f"split={split}: choose val or test")
    if eval_batch is not None and eval_batch < 1:
        raise ValueError(f"eval_batch={eval_batch} must be positive")
    run, config = RunDirectory(run_dir), config_of(run_dir, data)
    scored = own(run, checkpoint or "last") if other_model is None else another(other_model, checkpoint)
    quieten()
    L.seed_everything(config["seed"], verbose=False)
    settings = experiment(config)
    task = build_task(settings, run.tokenizer)
    if other_model is not None:
        require_same_inputs(locate(other_model), config, task, f"other_model={other_model} cannot be scored here:")
    notes = [scored.note, note_of_data(run, config, task, data_anyway)]
    preparation = Preparation(run, settings, config, task, number_of_steps(settings, task))
    metrics = score(preparation, scored.model, split, eval_batch)
    file = run.evaluation(split, scored.facts["checkpoint"], "_".join(filter(None, notes)))
    facts = {"split": split} | scored.facts | {"data": task.data.fingerprint}
    keep(run, file.name, facts | metrics, task)
    if any(notes):
        print(f"metrics that are not the run's own: {file}", file=sys.stderr)
    return metrics


def config_of(run_dir: str, data: Config | None) -> Config:
    """The checked config of a run, with some values of its data changed."""
    config = run_config(run_dir)
    if data:
        config = config | {"data": merged(config["data"], data)}
        check(config)
    return with_absolute_paths(config)


def own(run: RunDirectory, checkpoint: str) -> Scored:
    """The run's own model, with the weights of a checkpoint."""
    weights = digest_of(run.checkpoint(checkpoint))
    return Scored(load_run(run.path, checkpoint, merged=False), {"checkpoint": checkpoint, "weights": weights})


def another(source: str, checkpoint: str | None) -> Scored:
    """A model that is not the run's own, found by its folder or its name on the hub."""
    folder = locate(source)
    checkpoint = checkpoint or best_or_last(folder)
    model = whole_model(folder, checkpoint, f"other_model={source} cannot be scored here:")
    place = folder.resolve()
    name = place.name if Path(source).expanduser().is_dir() else source.replace("/", "_")
    facts = {"checkpoint": checkpoint, "weights": digest(model.state_dict()), "model": str(place)}
    return Scored(model, facts, f"of_{name}")


def note_of_data(run: RunDirectory, config: Config, task: Task, anyway: bool) -> str:
    """ "other_data" where the data are not the run's, else an empty text. Raises ValueError for such data unless
    `anyway`.
    """
    what = difference(run, task.data, config)
    if what is None:
        return ""
    if not anyway:
        raise ValueError(f"{what}. Bring them back, or score them all the same with data_anyway=true")
    print(what, file=sys.stderr)
    return "other_data"


def score(preparation: Preparation, model: nn.Module, split: str, eval_batch: int | None) -> dict[str, float]:
    """Metrics of a model on one split, on one device."""
    config, task = preparation.config, preparation.task
    bars: list[L.Callback] = [EvaluationBar()] if config.trainer.progress else []
    trainer = L.Trainer(
        accelerator=config.trainer.accelerator,
        devices=1,
        precision=config.precision,
        deterministic=config.trainer.deterministic,
        callbacks=bars,
        logger=False,
        enable_checkpointing=False,
        enable_progress_bar=bool(bars),
        enable_model_summary=False,
        use_distributed_sampler=False,
    )
    module = Training(model, task.objective).eval()
    data_module = build_data_module(config, task, preparation.steps, devices=1)
    data_module.eval_batch = eval_batch or data_module.eval_batch
    run = Run(**vars(preparation), trainer=trainer, module=module, data_module=data_module)
    run_split = {"val": trainer.validate, "test": trainer.test}[split]
    with explained(run):
        run_split(module, data_module, verbose=False)
    return module.results[split]


def keep(run: RunDirectory, name: str, metrics: dict[str, Any], task: Task) -> None:
    """Write the metrics. An imported run, which has no data yet, also records the data of its first evaluation.

    Where the directory cannot be written, one line says so.
    """
    try:
        write_json(run.path / name, metrics)
        if (record := run.facts()) and not record.get("data"):
            run.amend_record(data=data_facts(task.data))
    except OSError as error:
        print(f"{run.path / name} was not written: {error.strerror or error}", file=sys.stderr)
