"""The curves of a run, as metrics.csv holds them."""

import csv
from pathlib import Path

Row = tuple[int, str, float]  # step, metric, value


def read_curves(path: str | Path) -> list[Row]:
    """(step, metric, value) of every complete row of a metrics.csv; none where there is no file."""
    if not Path(path).is_file():
        return []
    with Path(path).open(newline="") as file:
        complete = [line for line in file if line.endswith("\n")]  # the last may be half written
    return [(int(step), name, float(value)) for step, name, value in list(csv.reader(complete))[1:]]
