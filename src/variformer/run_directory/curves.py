"""The curves of a run as `metrics.csv` holds them: one row per number."""

import csv
import io
from collections.abc import Iterable
from pathlib import Path

__all__ = ["HEADER", "Row", "as_lines", "read_curves"]

Row = tuple[int, str, float]  # step, metric, value
HEADER = ("step", "metric", "value")


def as_lines(rows: Iterable[Row | tuple[str, str, str]]) -> bytes:
    """Rows as lines of a csv file; a float keeps all its digits."""
    text = io.StringIO()
    csv.writer(text).writerows(
        (step, name, repr(value) if isinstance(value, float) else value) for step, name, value in rows
    )
    return text.getvalue().encode()


def read_curves(path: str | Path) -> list[Row]:
    """(step, metric, value) of every complete row of a metrics.csv; an empty list where there is no file."""
    if not Path(path).is_file():
        return []
    with Path(path).open(newline="") as file:
        complete = [line for line in file if line.endswith("\n")]
    return [(int(step), name, float(value)) for step, name, value in list(csv.reader(complete))[1:]]
