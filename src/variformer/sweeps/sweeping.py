"""A sweep from its command to its table: proposes trials, launches those not yet done, and reports."""

import contextlib
import logging
import signal
import sys
import time
from collections.abc import Sequence
from dataclasses import replace
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hydra.errors import HydraException
from hydra.plugins.launcher import Launcher
from hydra.types import HydraContext
from omegaconf import DictConfig

from ..command import shown
from ..config import ConfigError
from ..config.composing.paths import anchored
from .directory import SweepDirectory, assigned, in_use
from .planning import Plan, Point, plain, saved, watched_by
from .process import POLL, handled
from .trials import SETTLED, Trial, numbers, read_record, read_trial, read_trials, update_record

if TYPE_CHECKING:
    from .search import Search
    from .space import Space

DECISIVE = ("experiment", "objective", "objective._target_", "repeat")  # the keys that decide what a run watches
STOPPING = (signal.SIGINT, signal.SIGTERM, signal.SIGUSR1, signal.SIGUSR2)


class NotLaunched(Exception):
    """The launcher failed before any of its trials began."""


class Sweep:
    """Launches points in a sweep's folder, those that are done excepted."""

    def __init__(self, plan: Plan, config: DictConfig, context: HydraContext, launcher: Launcher):
        self.plan, self.config, self.context, self.launcher = plan, config, context, launcher
        self.settings = config.hydra.sweeper
        self.directory = SweepDirectory(plan.where)
        self.monitor, self.mode = self.watched()
        self.workers = (getattr(launcher, "joblib", None) or {}).get("n_jobs")  # of a launcher with a pool of them
        self.gave_up = False  # whether the launcher did, with trials not begun

    def run(self) -> None:
        """Raises SystemExit with 1 if a trial failed, or with 128 + the number of the signal that stopped it, and
        ConfigError where the launcher starts none; of such a sweep nothing is left.
        """
        search, is_new = self.search(), not self.directory.path.exists()
        try:
            with self.directory.claimed(self.plan.facts | {"config": self.composed()}), stoppable(self.directory):
                self.run_trials(search)
        except NotLaunched as error:
            self.directory.clear(whole=is_new)
            raise ConfigError([f"hydra.launcher: no trial could be started: {error}"]) from error
        stop = self.directory.stopped_by()
        if stop is not None:
            self.directory.stop.unlink()
            raise SystemExit(128 + stop)
        if self.gave_up or any(trial.status not in SETTLED for trial in read_trials(self.directory.path)):
            raise SystemExit(1)

    def run_trials(self, search: "Search | None") -> None:
        """Whatever ends them, the table tells what became of those that began."""
        began = True
        try:
            search.run() if search else self.launch(self.counted_on(self.plan.points()))
        except NotLaunched:
            began = False
            raise
        finally:
            if began:
                self.report(search.space if search else None)

    def watched(self) -> tuple[str, str]:
        """The metric that trials are compared by, and min or max. Raises ConfigError where they do not agree on it."""
        found = {}
        for choice in self.plan.choices(DECISIVE):
            with contextlib.suppress(HydraException, ConfigError):  # such a trial fails alone, and says why
                words = [*self.plan.shared, *choice]
                config = self.context.config_loader.load_sweep_config(self.config, words) if choice else self.config
                found[watched_by(config)] = " ".join(choice)
        if len(found) > 1:
            told = [f"{choice} has {monitor} ({mode})" for (monitor, mode), choice in found.items()]
            raise ConfigError([f"these trials cannot be compared: {', '.join(told)}; sweep them apart"])
        return next(iter(found), None) or watched_by(self.config)

    def composed(self) -> dict[str, Any]:
        """What trials start from, by what is chosen of the groups that are swept: one option of each group at a time.

        conf/local is left out: where a sweep runs is no part of what it is. Paths are absolute: the same command in
        another folder is another sweep if it reads other files.
        """
        if run := saved(self.config):
            return {"": anchored(plain(run))}
        loader, found = self.context.config_loader, {}
        apart = ["~local"] if loader.get_group_options("local") else []
        for choice in self.plan.one_by_one(self.config.hydra.runtime.choices):
            with contextlib.suppress(HydraException):  # such trials fail, and say why
                words = [*self.plan.shared, *choice, *apart]
                found[" ".join(choice)] = plain(loader.load_sweep_config(self.config, words))
        shown = {choice: {name: config[name] for name in config if name != "hydra"} for choice, config in found.items()}
        return {choice: anchored(config) for choice, config in shown.items()}

    def counted_on(self, points: Sequence[Point]) -> list[Point]:
        """A grid that has grown gives its new points the numbers after those that it gave before."""
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

        return Search(self)

    def launch(self, points: Sequence[Point]) -> list[Trial | None]:
        """Run those points that have to be run; what is then known of each. None where it was not begun."""
        due = {self.directory.trial(point.overrides): point for point in points if self.is_due(point)}
        jobs = []
        for folder, point in due.items():
            facts = {"number": point.number, "overrides": point.overrides, "search": point.search}
            update_record(folder, **facts, monitor=self.monitor)
            jobs.append(self.job(point))
        good = [job for folder, job in zip(due, jobs, strict=True) if self.composes(folder, job)]
        if good:
            self.settle(list(due), good)
        return [read_trial(self.directory.trial(point.overrides)) for point in points]

    def is_due(self, point: Point) -> bool:
        status = read_record(self.directory.trial(point.overrides)).get("status")
        return status not in SETTLED and (status != "failed" or self.settings.retry_failed)

    def job(self, point: Point) -> list[str]:
        """What any launcher of Hydra's needs to be told, so that the job runs in the trial's folder."""
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
        """Whether Hydra accepts the job's overrides; if not, the trial has failed, and the others go on."""
        try:
            self.context.config_loader.load_sweep_config(self.config, job)
        except HydraException as error:
            update_record(folder, status="failed", error=str(error))
            return False
        return True

    def settle(self, folders: list[Path], jobs: list[list[str]]) -> None:
        """Launch, and call a trial failed if its job ended without saying what became of it.

        Raises NotLaunched where the launcher failed before any trial began. Where it gave up later, because a job was
        lost with its machine or a queue took none, the others run to their end, and what was lost continues with the
        sweep. Jobs that wait are left alone.
        """
        logging.getLogger("hydra").setLevel(logging.WARNING)
        if self.workers is not None and self.workers > 0:  # a Ctrl-C would end an idle one, and joblib then all others
            self.launcher.joblib["n_jobs"] = min(self.workers, len(jobs))  # type: ignore[attr-defined]
        problem, lost = "its job ended without a word", False
        try:
            for returned in self.launcher.launch(jobs, initial_job_idx=0):
                if returned.status.name == "FAILED":
                    problem = repr(returned._return_value)
        except Exception as error:  # a launcher's worker was killed, or its queue refused the job
            if self.directory.stopped_by() is None and not self.may_begin(folders):
                raise NotLaunched(" ".join(str(error).split()) or repr(error)) from error
            problem, lost = repr(error), True
            print(f"the launcher gave up: {problem}; the same command continues", file=sys.stderr)
            while any(map(in_use, folders)):  # also where the sweep is stopped: then they save, and end
                time.sleep(POLL)
        self.gave_up = lost and any("status" not in read_record(folder) for folder in folders)
        for folder in folders if self.directory.stopped_by() is None else ():
            status = read_record(folder).get("status")
            unsaid = status == "running" or (status is None and not lost)
            if unsaid and not in_use(folder):
                ended = "preempted" if lost else "failed"
                update_record(folder, status=ended, error=problem)

    def may_begin(self, folders: list[Path]) -> bool:
        """Whether a trial has begun, or a job of submitit's waits in a queue, after the launcher itself has failed."""
        has_begun = any("status" in read_record(folder) or in_use(folder) for folder in folders)
        return has_begun or any(self.directory.path.rglob("*_submitted.pkl"))

    def report(self, space: "Space | None") -> None:
        from .report import report

        once = ["hydra.mode=RUN"] if space else []  # a file in conf/sweep asks for MULTIRUN
        report(
            self.directory.path,
            read_trials(self.directory.path),
            monitor=self.monitor,
            mode=self.mode,
            command=[*shown("train"), *self.plan.fixed, *once],
            space=space,
        )


def stoppable(directory: SweepDirectory) -> contextlib.AbstractContextManager[None]:
    """The first signal asks the running trials to save and end; a Ctrl-C after it leaves at once."""

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
