"""A sweep from its plan to its table: it launches the trials that are not done, and reports."""

import contextlib
import logging
import signal
import sys
import time
from collections.abc import Sequence
from dataclasses import replace
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING

from hydra.errors import HydraException
from hydra.plugins.launcher import Launcher
from hydra.types import HydraContext
from omegaconf import DictConfig

from ..command import typed_command
from ..config import ConfigError
from ..config.composing.absolute_paths import with_absolute_paths
from ..config.composing.compose import plain_config
from ..config.tree import Config
from .directory import SweepDirectory, assigned, in_use
from .planning import Plan, Point, monitored_by, repeated_config
from .process import POLL, handled
from .trials import FINISHED, Record, Trial, numbers, read_record, read_trial, read_trials, update_record

if TYPE_CHECKING:
    from .search import Search
    from .space import Space

# The keys that decide what a run monitors.
DECISIVE = ("experiment", "objective", "objective._target_", "objective.monitor", "objective.task.monitor", "repeat")
STOPPING = (signal.SIGINT, signal.SIGTERM, signal.SIGUSR1, signal.SIGUSR2)


class NotLaunched(Exception):
    """The launcher failed before any of its trials started."""


class Sweep:
    """Launches points in a sweep's folder, except those that are done."""

    def __init__(self, plan: Plan, config: DictConfig, context: HydraContext, launcher: Launcher):
        self.plan, self.config, self.context, self.launcher = plan, config, context, launcher
        self.settings = config.hydra.sweeper
        self.directory = SweepDirectory(plan.where)
        self.monitor, self.mode = self.monitored()
        self.pool = getattr(launcher, "joblib", None) or {}  # the settings of a launcher with a pool of workers
        self.workers = self.pool.get("n_jobs")
        self.gave_up = False  # whether the launcher ended before all trials had started

    def run(self) -> None:
        """Run all trials and report.

        Raises SystemExit with 1 if a trial failed, or with 128 + the number of the signal that stopped the sweep.
        Raises ConfigError, and leaves no files, if the launcher starts no trial.
        """
        search, is_new = self.search(), not self.directory.path.exists()
        try:
            with self.directory.claimed(self.plan.facts | {"config": self.composed()}), stoppable(self.directory):
                self.run_trials(search)
        except NotLaunched as error:
            self.directory.clear(everything=is_new)
            raise ConfigError([f"hydra.launcher: no trial could be started: {error}"]) from error
        stop = self.directory.stopped_by()
        if stop is not None:
            self.directory.stop.unlink()
            raise SystemExit(128 + stop)
        if self.gave_up or any(trial.status not in FINISHED for trial in read_trials(self.directory.path)):
            raise SystemExit(1)

    def run_trials(self, search: "Search | None") -> None:
        """Run trials. Whatever ends them, a table then shows those that have started."""
        started = True
        try:
            if search:
                search.run(self.launch, self.goes_on)
            else:
                self.launch(self.numbered(self.plan.points()))
        except NotLaunched:
            started = False
            raise
        finally:
            if started:
                self.report(search.space if search else None)

    def goes_on(self) -> bool:
        """Whether more trials may start: no signal has stopped the sweep, and the launcher works."""
        return self.directory.stopped_by() is None and not self.gave_up

    def monitored(self) -> tuple[str, str]:
        """The metric that trials are compared by, and min or max. Raises ConfigError if trials differ in it."""
        found = {}
        for choice in self.plan.choices(DECISIVE):
            with contextlib.suppress(HydraException, ConfigError):  # only such a trial fails, and says why
                words = [*self.plan.shared, *choice]
                config = self.context.config_loader.load_sweep_config(self.config, words) if choice else self.config
                found[monitored_by(config)] = " ".join(choice)
        if len(found) > 1:
            metrics = [f"{choice} has {monitor} ({mode})" for (monitor, mode), choice in found.items()]
            raise ConfigError([f"these trials cannot be compared: {', '.join(metrics)}; run a sweep for each"])
        return next(iter(found), None) or monitored_by(self.config)

    def composed(self) -> dict[str, Config]:
        """The configs that trials start from: one for each option of a swept group, by its overrides.

        conf/local is left out, since where a sweep runs does not make it another sweep. Paths are absolute: the same
        command in another folder is another sweep if it reads other files.
        """
        if run := repeated_config(self.config):
            return {"": with_absolute_paths(plain_config(run, resolve=False))}
        loader, found = self.context.config_loader, dict[str, Config]()
        apart = ["~local"] if loader.get_group_options("local") else []
        for choice in self.plan.each_option_once(self.config.hydra.runtime.choices):
            with contextlib.suppress(HydraException):  # such trials fail, and say why
                words = [*self.plan.shared, *choice, *apart]
                found[" ".join(choice)] = plain_config(loader.load_sweep_config(self.config, words), resolve=False)
        shown = {choice: {name: config[name] for name in config if name != "hydra"} for choice, config in found.items()}
        return {choice: with_absolute_paths(config) for choice, config in shown.items()}

    def numbered(self, points: Sequence[Point]) -> list[Point]:
        """The points of a grid with their final numbers: in a grid that has grown, new points get the next numbers."""
        known = numbers(self.directory.path)
        free = count(1 + max(known.values(), default=-1))
        folders = [self.directory.trial(point.overrides) for point in points]
        return [
            replace(point, number=known[folder] if folder in known else next(free))
            for point, folder in zip(points, folders, strict=True)
        ]

    def search(self) -> "Search | None":
        """None for a grid, which needs no optuna."""
        if self.plan.space is None:
            return None
        from .search import Search

        return Search(self.directory, self.settings, self.plan.space, self.mode)

    def launch(self, points: Sequence[Point]) -> list[Trial | None]:
        """Run the points that have to run. Returns the trial of each point; None for one that did not start."""
        due = {self.directory.trial(point.overrides): point for point in points if self.is_due(point)}
        jobs = []
        for folder, point in due.items():
            facts = Record(number=point.number, overrides=point.overrides, search=point.search, monitor=self.monitor)
            update_record(folder, **facts)
            jobs.append(self.job(point))
        good = [job for folder, job in zip(due, jobs, strict=True) if self.composes(folder, job)]
        if good:
            self.run_jobs(list(due), good)
        return [read_trial(self.directory.trial(point.overrides)) for point in points]

    def is_due(self, point: Point) -> bool:
        status = read_record(self.directory.trial(point.overrides)).get("status")
        return status not in FINISHED and (status != "failed" or self.settings.retry_failed)

    def job(self, point: Point) -> list[str]:
        """The overrides of a trial's job, with which any launcher of Hydra runs it in the trial's folder."""
        folder = self.directory.trial(point.overrides)
        return [
            *self.plan.shared,
            *self.plan.words(point.overrides),
            assigned("hydra.sweep.dir", self.directory.path),
            assigned("hydra.sweep.subdir", folder.relative_to(self.directory.path)),
            "hydra.output_subdir=null",  # the trial's own process keeps Hydra's record and log
            "hydra/job_logging=none",
            "++hydra.job_logging.handlers=null",
        ]

    def composes(self, folder: Path, job: list[str]) -> bool:
        """Whether Hydra accepts the job's overrides. If not, the trial has failed, and the others go on."""
        try:
            self.context.config_loader.load_sweep_config(self.config, job)
        except HydraException as error:
            update_record(folder, status="failed", error=str(error))
            return False
        return True

    def run_jobs(self, folders: list[Path], jobs: list[list[str]]) -> None:
        """Launch jobs, and call a trial failed if its job ended without an outcome.

        The launcher may fail after some trials have started, because a machine was lost or a queue refused a job. The
        other trials then run to their end, and the same command continues the lost ones. Jobs in a queue stay there.
        Raises NotLaunched if the launcher failed before any trial started.
        """
        logging.getLogger("hydra").setLevel(logging.WARNING)
        if self.workers is not None and self.workers > 0:
            # A Ctrl-C would end an idle worker, and joblib would then end all others.
            self.pool["n_jobs"] = min(self.workers, len(jobs))
        problem, lost = "its job ended without an outcome", False
        try:
            for returned in self.launcher.launch(jobs, initial_job_idx=0):
                if returned.status.name == "FAILED":
                    problem = repr(returned._return_value)
        except Exception as error:  # a launcher's worker was killed, or its queue refused the job
            if self.directory.stopped_by() is None and not self.may_start(folders):
                raise NotLaunched(" ".join(str(error).split()) or repr(error)) from error
            problem, lost = repr(error), True
            print(f"the launcher gave up: {problem}; the same command continues", file=sys.stderr)
            while any(map(in_use, folders)):  # also if the sweep is stopped: the trials then save and end
                time.sleep(POLL)
        self.gave_up = lost and any("status" not in read_record(folder) for folder in folders)
        for folder in folders if self.directory.stopped_by() is None else ():
            status = read_record(folder).get("status")
            without_outcome = status == "running" or (status is None and not lost)
            if without_outcome and not in_use(folder):
                update_record(folder, status="preempted" if lost else "failed", error=problem)

    def may_start(self, folders: list[Path]) -> bool:
        """Whether a trial has started or a job of submitit waits in a queue, although the launcher has failed."""
        has_started = any("status" in read_record(folder) or in_use(folder) for folder in folders)
        return has_started or any(self.directory.path.rglob("*_submitted.pkl"))

    def report(self, space: "Space | None") -> None:
        from .report import report

        once = ["hydra.mode=RUN"] if space else []  # a file in conf/sweep sets MULTIRUN
        report(
            self.directory.path,
            read_trials(self.directory.path),
            monitor=self.monitor,
            mode=self.mode,
            command=[*typed_command("train"), *self.plan.fixed, *once],
            space=space,
        )


def stoppable(directory: SweepDirectory) -> contextlib.AbstractContextManager[None]:
    """The first signal makes the running trials save and end. A Ctrl-C after it ends the sweep at once."""
    received: list[int] = []

    def stop(signum: int, frame: object) -> None:
        if received:
            if signum == signal.SIGINT:
                raise KeyboardInterrupt
            return
        received.append(signum)
        directory.request_stop(signum)
        print("stopping: the running trials save a checkpoint; the same command continues", flush=True)

    return handled(STOPPING, stop)
