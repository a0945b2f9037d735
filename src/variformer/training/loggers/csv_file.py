"""The curves as a file that any tool reads."""

import csv
import io
import logging
import os
from argparse import Namespace
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from lightning.pytorch.loggers import Logger
from lightning.pytorch.utilities import rank_zero_only

from ...run_directory.directory import write_bytes
from .once import Once

log = logging.getLogger(__name__)

Row = tuple[int, str, float]


class CSV(Logger):
    """metrics.csv with one row per number: step, metric, value.

    Rows are only ever appended, so that nothing is lost when a run dies; a resumed run first drops the rows of steps
    that it will take again. `pandas.read_csv(path).pivot(index="step", columns="metric", values="value")` is the wide
    table. While the disk is full, rows wait in memory.
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
        """The last step that an earlier session of a resumed run logged; it may lie behind the checkpoint's."""
        steps = [row[0] for row in read_curves(self.path)] if self.resume_step is not None else []
        return max(steps, default=None)

    def log_hyperparams(self, params: dict[str, Any] | Namespace, *args: Any, **kwargs: Any) -> None:
        """The config has a file of its own."""

    @rank_zero_only
    def log_metrics(self, metrics: Mapping[str, float], step: int | None = None) -> None:
        if not self.is_open:
            self.open()
        self.waiting += [(step or 0, name, float(value)) for name, value in self.once(metrics, step).items()]
        self.append()

    def open(self) -> None:
        """Begin the file, with what a resumed run keeps of it. Not in `__init__`, which every process runs."""
        until = self.resume_step
        kept = [row for row in read_curves(self.path) if row[0] <= until] if until is not None else []
        write_bytes(self.path, lines([("step", "metric", "value"), *kept]))
        last = max((row[0] for row in kept), default=None)
        self.once = Once(last, {name for step, name, _ in kept if step == last})
        self.is_open = True

    def append(self) -> None:
        """All rows that wait or, where there is no space for them, none."""
        size = self.path.stat().st_size
        try:
            with self.path.open("ab") as file:
                file.write(lines(self.waiting))
        except OSError as error:
            os.truncate(self.path, size)
            if not self.is_stuck:
                log.warning(
                    "%s cannot be written (%s): its rows wait in memory until it can", self.path, error.strerror
                )
            self.is_stuck = True
        else:
            self.waiting, self.is_stuck = [], False


def lines(rows: Iterable[tuple[Any, str, Any]]) -> bytes:
    text = io.StringIO()
    csv.writer(text).writerows(
        (step, name, repr(value) if isinstance(value, float) else value) for step, name, value in rows
    )
    return text.getvalue().encode()


def read_curves(path: str | Path) -> list[Row]:
    """(step, metric, value) of every whole row of a metrics.csv; none where there is no file."""
    if not Path(path).is_file():
        return []
    with Path(path).open(newline="") as file:
        whole = [line for line in file if line.endswith("\n")]
    return [(int(step), name, float(value)) for step, name, value in list(csv.reader(whole))[1:]]
