"""The curves as a file that any tool reads."""

import logging
import os
from argparse import Namespace
from collections.abc import Mapping
from pathlib import Path

from lightning.pytorch.loggers import Logger
from lightning.pytorch.utilities import rank_zero_only

from ...run_directory.curves import HEADER, Row, as_lines, read_curves
from ...run_directory.directory import write_bytes
from .dashboard import Values
from .once import Once

log = logging.getLogger(__name__)


class CSV(Logger):
    """metrics.csv with one row per number: step, metric, value.

    Rows are only ever appended, so that nothing is lost when a run dies; a resumed run first drops the rows of steps
    that it will take again. `pandas.read_csv(path).pivot(index="step", columns="metric", values="value")` is the wide
    table. Rows wait in memory while the disk is full.
    """

    def __init__(self, path: str | Path, resume_step: int | None = None):
        super().__init__()
        self.path, self.resume_step = Path(path), resume_step
        self.waiting: list[Row] = []
        self.is_open = self.is_stuck = False
        self.once = Once()

    @property
    def name(self) -> str:
        return "csv"

    @property
    def version(self) -> str:
        return ""

    @property
    def last_step(self) -> int | None:
        """The last step that an earlier session of a resumed run logged; it may be later than the checkpoint's."""
        steps = [row[0] for row in read_curves(self.path)] if self.resume_step is not None else []
        return max(steps, default=None)

    def log_hyperparams(self, params: Values | Namespace, *args: object, **kwargs: object) -> None:
        """The config has a file of its own."""

    @rank_zero_only
    def log_metrics(self, metrics: Mapping[str, float], step: int | None = None) -> None:
        if not self.is_open:
            self.open()
        self.waiting += [(step or 0, name, float(value)) for name, value in self.once(metrics, step).items()]
        self.append()

    def open(self) -> None:
        """Begin the file with the rows that a resumed run keeps. Only the first process logs, so only it comes here."""
        until = self.resume_step
        kept = [row for row in read_curves(self.path) if row[0] <= until] if until is not None else []
        write_bytes(self.path, as_lines([HEADER, *kept]))
        last = max((row[0] for row in kept), default=None)
        self.once = Once(last, {name for step, name, _ in kept if step == last})
        self.is_open = True

    def append(self) -> None:
        """Write all waiting rows, or none of them where the disk has no space."""
        size = self.path.stat().st_size
        try:
            with self.path.open("ab") as file:
                file.write(as_lines(self.waiting))
        except OSError as error:
            os.truncate(self.path, size)
            if not self.is_stuck:
                log.warning(
                    "%s cannot be written (%s): its rows wait in memory until it can", self.path, error.strerror
                )
            self.is_stuck = True
        else:
            self.waiting, self.is_stuck = [], False
