"""What a dashboard shows beside curves, and how it is closed."""

import json
import logging
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from ...run_directory.directory import RunDirectory

OPEN: list["Dashboard"] = []  # of this process: a run may end before there is anyone to hand its loggers to


class Dashboard(ABC):
    """A logger that also shows texts and pictures, and that has to be told how the run ended. Never stops training."""

    title: str  # what its users call it
    library: str  # whose messages end with it
    is_off = False

    def guarded(self, call: Callable[[], object], always: bool = False) -> bool:
        """Go on without the dashboard where its disk is full, its own process is gone or it takes offence.

        What is to be tried `always` is so after that, too, and its failure is not told a second time. Returns whether
        the call went well.
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
    def amend_config(self, values: dict[str, Any]) -> None:
        """Values of the config that came out only after it was logged."""

    @abstractmethod
    def log_samples(self, folder: Path, step: int) -> None:
        """The texts that the model has written so far: `step-<number>.txt`, the newest at `step`."""

    @abstractmethod
    def log_figure(self, name: str, path: Path, step: int) -> None:
        """A png file."""

    @abstractmethod
    def log_end(self, line: str, facts: dict[str, Any], step: int) -> None:
        """That training ended before its last step: in one line, and as values by name."""

    @abstractmethod
    def close(self, status: str) -> None:
        """Leave nothing unwritten. `status` is that of the run's status.json."""


def show_samples(loggers: Iterable[Any], folder: Path, step: int) -> None:
    """The texts that a model has written, on every dashboard."""
    for logger in loggers:
        if isinstance(logger, Dashboard):
            logger.log_samples(folder, step)


def show_figures(loggers: Iterable[Any], folder: Path, step: int) -> None:
    """Every picture of a run's figures/."""
    for logger in loggers:
        for path in sorted(folder.glob("*.png")) if isinstance(logger, Dashboard) else ():
            logger.log_figure(path.stem, path, step)


def show_end(loggers: Iterable[Any], line: str, facts: dict[str, Any], step: int) -> None:
    """The end of training, on every dashboard."""
    for logger in loggers:
        if isinstance(logger, Dashboard):
            logger.log_end(line, facts, step)


@contextmanager
def dashboards_closed(run: RunDirectory) -> Iterator[None]:
    """Close what was opened within, however the run ended; status.json tells how."""
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
