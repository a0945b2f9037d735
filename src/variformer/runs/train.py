"""What `variformer train` does with a checked config: prepare the run, build it, record it, and train."""

import logging
import time
from typing import Any

from ..analysis.cost import parameter_count
from ..analysis.figures import draw_curves
from ..config import leads
from ..config.composing.earlier_runs import changed_values
from ..config.heads import joined
from ..exchange.outgoing import exports
from ..run_directory.curves import read_curves
from ..run_directory.directory import RunDirectory, code_state, write_json
from ..run_directory.newest import newest
from ..searching import Pruned
from ..training.callback import add_callback
from ..training.loggers import CSV, show_figures
from ..training.non_finite.finite import require_finite_value
from ..training.resuming.checkpoint_io import require_saved
from ..training.resuming.resumption import OnAccepted
from ..training.signals import Signals
from .console import process_seconds, quieten, say
from .ending import conclude
from .memory import explained
from .pace import warnings_of
from .resumed_changes import changes, final_value, finished, last_session
from .run import Config, Run, build, keep_config, prepare
from .stopping import reported

log = logging.getLogger(__name__)


def train(config: Config) -> float:
    """Run one experiment to its end, and leave a complete run directory.

    Returns the value that the objective watches. A run that is finished already is left as it is.
    Raises Refused where a run cannot be resumed as the config says.
    """
    directory = RunDirectory(config["run_dir"], leads=leads())
    if config["resume"] and (line := finished(config, directory)):
        if directory.leads:
            say(line)
        return final_value(config, directory)
    if directory.leads and not config["resume"]:
        directory.path.mkdir(parents=True, exist_ok=True)
        keep_config(directory, config | {"resume": False})
    with reported(directory, requeue=config["trainer"].get("requeue", True)) as signals:
        return fit(config, directory, signals)


def fit(config: Config, directory: RunDirectory, signals: Signals | None = None) -> float:
    """Prepare, build, record and execute a run. Returns the value that the objective watches.

    `signals` receives what ends the run early.
    """
    began = time.perf_counter()
    quieten()
    checkpoint = (newest(directory) or directory.checkpoint("last")) if config["resume"] else None
    run = build(prepare(config, directory, checkpoint), signals)
    node = joined(run.config.model, run.config.head)
    exported = exports(run.module.model, node)  # now, because a strategy changes the classes of parts
    record(run)
    return execute(run, began, exported)


def record(run: Run) -> None:
    """Write what the run is into its directory and on dashboards, and print it."""
    lines = changes(run) if run.checkpoint else []
    parameters = parameter_count(run.module.model)
    known = {"name": run.config.name, "seed": run.config.seed, "parameters": parameters, "max_steps": run.steps}
    if run.directory.leads:
        for line in lines:
            say(line)
        if not run.config.resume:
            keep_config(run.directory, run.kept)  # with what was found in the data, such as the names of classes
        if run.task.tokenizer is not None and not run.config.resume:
            run.task.tokenizer.save(run.directory.tokenizer)
    run.data_module.training_view  # noqa: B018  (it counts the texts that it cuts)
    run.facts["data"] = run.facts["data"] | run.task.data.report
    if run.trainer.is_global_zero:
        keep(run, known | run.facts)
        announce(run, parameters)
        for warning in warnings_of(run):
            log.warning(warning)
    if dashboards := [logger for logger in run.trainer.loggers if not isinstance(logger, CSV)]:
        facts = run.kept | {"parameters": parameters, "code": code_state()}  # asks git, which takes a while
        for logger in dashboards:
            logger.log_hyperparams(facts)


def execute(run: Run, began: float, exported: str) -> float:
    """Train to the end, and keep the result. `began` is the start of the session, on the clock of time.perf_counter."""
    with explained(run):
        try:
            run.trainer.fit(run.module, run.data_module, ckpt_path=run.checkpoint, weights_only=True)
        except Pruned:
            conclude(run)
            raise
        require_saved(run.trainer.strategy.checkpoint_io)
        if not run.module.is_validated():
            run.trainer.validate(run.module, run.data_module, verbose=False)
    require_finite_value(run.trainer.global_step, run.module)
    seconds = time.perf_counter() - began
    conclude(run)
    if run.trainer.is_global_zero:
        finish(run, seconds, exported)
    return run.module.results["val"][run.module.objective.monitor]


def finish(run: Run, seconds: float, exported: str) -> None:
    """Write metrics.json and the picture of the curves, and print how the run ended.

    `seconds` is this session's time for data, training and validation, without the start of Python.
    """
    directory, results = run.directory, run.module.results["val"]
    directory.amend_record(data=run.facts["data"] | run.task.data.report)  # with what the validation has cut
    metrics = {f"val/{name}": value for name, value in results.items()}
    write_json(directory.metrics, directory.ending | {"seconds": round(seconds, 1)} | metrics)
    values = "  ".join(f"{name} {value:.4f}" for name, value in results.items())
    say(f"done in {process_seconds():.0f} s, {seconds:.0f} of them after the start of Python: {values}")
    figure = draw_curves(read_curves(directory.curves), directory.figures / "curves.png")
    show_figures(run.trainer.loggers, directory.figures, run.trainer.global_step)
    for sample in sorted(directory.samples.glob("*.txt"))[-1:]:
        say(f"\n{sample.read_text()}")
    say(f"run directory: {directory.path}\ncurves: {figure}\nexports: {exported}")


def keep(run: Run, facts: dict[str, Any]) -> None:
    """Write run.json. That of a resumed run is only written once Lightning has accepted the checkpoint."""
    if not run.config.resume:
        run.directory.set_record(**facts, config=run.kept)
        return

    before = (last_session(run.directory) or {}).get("config")

    def accepted() -> None:
        keep_config(run.directory, run.kept)  # the micro batch may have been found since
        changed = list(changed_values(before or run.kept, run.kept))
        run.directory.set_record(changed=changed, **facts, config=run.kept)

    add_callback(run.trainer, OnAccepted(accepted))


def announce(run: Run, parameters: int) -> None:
    """Print the size of the run, its devices, its precision, and its directory."""
    print(
        f"{run.config.name}: {parameters:,} parameters, {run.steps:,} steps of {run.config.global_batch} samples, "
        f"{run.trainer.world_size} x {run.trainer.strategy.root_device.type}, {run.config.precision}, "
        f"compile {run.config.compile}\nrun directory: {run.directory.path}",
        flush=True,
    )
