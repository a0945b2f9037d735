"""Weights & Biases."""

from argparse import Namespace
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Literal, cast

from lightning.pytorch.loggers import WandbLogger
from lightning.pytorch.loggers.logger import DummyExperiment, rank_zero_experiment
from lightning.pytorch.utilities import rank_zero_only

from ...ranges import Whole
from ...run_directory.directory import RunDirectory
from .dashboard import OPEN, Dashboard, Values
from .wandb_artifacts import Kept, upload
from .wandb_session import begin, sync_command

if TYPE_CHECKING:
    from wandb.sdk.wandb_run import Run

EXIT_CODES = {"done": 0, "pruned": 0, "preempted": 143}  # of any other status: 1
AXIS = "trainer/global_step"
SAMPLES_SHOWN = 50  # each table repeats earlier rows, so that the newest shows how the texts change


class Wandb(Dashboard, WandbLogger):
    """One W&B run for all sessions of a run, by the id in run.json. Never stops the training.

    W&B's own step is the number of optimizer steps, so everything that is logged at a step is one row. It has the
    tokens or images seen and the FLOPs spent beside the losses, and each can be the x axis. A resumed run takes some
    steps once more; rows that an earlier session sent are not sent again.

    `group`, `job_type` and `tags` default to $WANDB_RUN_GROUP, $WANDB_JOB_TYPE and $WANDB_TAGS, `mode` to $WANDB_MODE.
    `artifacts`: which checkpoints to upload when the run is done.
    """

    title, library = "W&B", "wandb"

    def __init__(
        self,
        run_dir: str,
        resume_step: Whole | None = None,
        logged_step: Whole | None = None,
        *,
        project: str = "variformer",
        entity: str | None = None,
        group: str | None = None,
        job_type: str | None = None,
        name: str | None = None,
        tags: list[str] | None = None,
        mode: Literal["online", "offline", "disabled"] | None = None,
        artifacts: Kept = "none",
    ):
        super().__init__(name=name, project=project, save_dir=run_dir)
        self.run, self.mode, self.artifacts = RunDirectory(run_dir), mode, artifacts
        given = {"project": self.name, "entity": entity, "group": group, "job_type": job_type, "name": name}
        self.settings: Values = {"dir": run_dir, "tags": tags or None} | given
        self.resumes, self.logged_step = resume_step is not None, logged_step
        self.first_step = 0
        self.session: Run | None = None  # W&B's, of this process

    @property
    @rank_zero_experiment
    def experiment(self) -> "Run":
        """W&B's run. The first use starts it; where that failed, a stand-in that does nothing."""
        if self.session is None:
            if self.is_off:
                return cast("Run", DummyExperiment())
            self.session = self.start()
        return self.session

    @property
    def version(self) -> str | None:
        return self.session.id if self.session else None

    def start(self) -> "Run":
        OPEN.append(self)
        given = {key: value for key, value in self.settings.items() if value is not None}
        run = begin(given | {"id": self.kept().get("id")}, self.mode)
        self.first_step = run.starting_step if not run.offline else self.logged_step or 0
        run.define_metric(AXIS)
        run.define_metric("*", step_metric=AXIS, step_sync=True)
        if self.run.record.is_file():
            self.run.amend_record(wandb={"id": run.id, "project": run.project, "entity": run.entity})
        return run

    def kept(self) -> Values:
        """What run.json says of the W&B run to go on with."""
        return self.run.facts().get("wandb", {}) if self.resumes else {}

    @rank_zero_only
    def log_hyperparams(self, params: Values | Namespace, *args: object, **kwargs: object) -> None:
        self.guarded(lambda: self.experiment.config.update(params, allow_val_change=True))

    @rank_zero_only
    def amend_config(self, values: Values) -> None:
        self.log_hyperparams(values)

    @rank_zero_only
    def log_metrics(self, metrics: Mapping[str, float], step: int | None = None) -> None:
        self.guarded(lambda: self.send(dict(metrics), step))

    def send(self, row: Values, step: int | None) -> None:
        run = self.experiment
        if step is None:
            run.log(row)
        elif step >= self.first_step:
            run.log(row | {AXIS: step}, step=step)

    @rank_zero_only
    def log_samples(self, folder: Path, step: int) -> None:
        newest = sorted(folder.glob("step-*.txt"))[-SAMPLES_SHOWN:]
        rows = [[int(path.stem.removeprefix("step-")), path.read_text(encoding="utf-8")] for path in newest]
        self.guarded(lambda: self.log_table("samples", columns=["step", "text"], data=rows, step=step))

    @rank_zero_only
    def log_figure(self, name: str, path: Path, step: int) -> None:
        self.guarded(lambda: self.log_image(f"figures/{name}", images=[str(path)], step=step))

    @rank_zero_only
    def log_end(self, line: str, facts: Values, step: int) -> None:
        self.guarded(lambda: self.experiment.summary.update(facts))

    def finalize(self, status: str) -> None:
        """Lightning calls this after every stage; `close` ends the run."""

    def close(self, status: str) -> None:
        """Finish with the run's exit state; W&B calls a preempted run so, and lets it be resumed."""
        run = self.session
        if run is None:
            return
        is_sent = self.guarded(lambda: self.finish(run, status), always=True) and not run.offline
        if not is_sent:
            print(f"W&B has this run on disk only; to send it: {sync_command(run)}", flush=True)
        self.is_off = True

    def finish(self, run: "Run", status: str) -> None:
        run.summary["status"] = status
        if status == "preempted":
            run.mark_preempting()
        if status == "done":
            try:
                upload(run, self.run, self.artifacts)
            except Exception as error:  # the curves can still be sent
                print(f"W&B did not take the checkpoints: {error}", flush=True)
        run.finish(exit_code=EXIT_CODES.get(status, 1))
