"""What a dashboard shows besides curves, and how it is closed."""

import json
import logging
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from lightning.pytorch.loggers import Logger

from ...run_directory.directory import RunDirectory

Values = dict[str, Any]  # settings and results by name, as JSON holds them

OPEN: list["Dashboard"] = []  # of this process: a run may fail before any code has its loggers


class Dashboard(ABC):
    """A logger that also shows texts and pictures, and how the run ended. Its failures never stop the training."""

    title: str  # what its users call it
    library: str  # whose log messages are switched off with it
    is_off = False

    def guarded(self, call: Callable[[], object], always: bool = False) -> bool:
        """Call it, and go on without the dashboard where that fails, such as on a full disk.

        After a failure, only what is to be tried `always` is still called, and a second failure is not reported.
        Returns whether the call went well.
        """
        if self.is_off and not always:
            return False
        try:
            call()
        except Exception as error:
            if self.is_off:
                return False
            self.is_off = True
            logging.getLogger(self.library).setLevel(logging.CRITICAL)  # some complain of every later line
            goes_on = f"{self.title} gets nothing more of this run, which goes on: {error!r}"
            print(f"{goes_on}; metrics.csv has all its curves", flush=True)
            return False
        return True

    @abstractmethod
    def amend_config(self, values: Values) -> None:
        """Show values of the config that were found only after it was logged."""

    @abstractmethod
    def log_samples(self, folder: Path, step: int) -> None:
        """Show the texts that the model has written so far: `step-<number>.txt`, the newest at `step`."""

    @abstractmethod
    def log_figure(self, name: str, path: Path, step: int) -> None:
        """Show a png file."""

    @abstractmethod
    def log_end(self, line: str, facts: Values, step: int) -> None:
        """Show that training ended before its last step: in one line, and as values by name."""

    @abstractmethod
    def close(self, status: str) -> None:
        """Write everything that is left. `status` is that of the run's status.json."""


def dashboards(loggers: Iterable[Logger]) -> list[Dashboard]:
    """The loggers that show more than numbers."""
    return [logger for logger in loggers if isinstance(logger, Dashboard)]


def show_samples(loggers: Iterable[Logger], folder: Path, step: int) -> None:
    """Show the texts that a model has written on every dashboard."""
    for dashboard in dashboards(loggers):
        dashboard.log_samples(folder, step)


def show_figures(loggers: Iterable[Logger], folder: Path, step: int) -> None:
    """Show every picture of a run's figures/ on every dashboard."""
    for dashboard in dashboards(loggers):
        for path in sorted(folder.glob("*.png")):
            dashboard.log_figure(path.stem, path, step)


def show_end(loggers: Iterable[Logger], line: str, facts: Values, step: int) -> None:
    """Show on every dashboard that the training ended early."""
    for dashboard in dashboards(loggers):
        dashboard.log_end(line, facts, step)


def show_amended_config(loggers: Iterable[Logger], values: Values) -> None:
    """Show values of the config that were found only after it was logged on every dashboard."""
    for dashboard in dashboards(loggers):
        dashboard.amend_config(values)


@contextmanager
def dashboards_closed(run: RunDirectory) -> Iterator[None]:
    """Close the dashboards that were opened within, however the run ended. They get the status of status.json."""
    before = len(OPEN)
    try:
        yield
    finally:
        while len(OPEN) > before:
            OPEN.pop().close(ended(run))


def ended(run: RunDirectory) -> str:
    """The status that a run ended with; one that could not even note its end failed."""
    try:
        status = json.loads(run.status_file.read_text())["status"]
    except (OSError, ValueError, KeyError):
        return "failed"
    return "failed" if status == "running" else status
