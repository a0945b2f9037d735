"""What a sweep's folder says of its trials."""

import csv
import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ..config import ConfigError
from ..run_directory.directory import RunDirectory, write_json

RECORD = "trial.json"
SETTLED = ("done", "pruned")  # never run again


@dataclass
class Trial:
    """One point of a sweep and what became of it."""

    number: int
    overrides: dict[str, str]  # the swept values, as the command line writes them
    path: Path
    status: str  # running, done, failed, preempted or pruned
    value: float | None  # what the objective watches, at the end or when it was pruned
    steps: int | None = None
    seconds: float | None = None
    error: str | None = None  # of a failed trial: what went wrong in one line, and below it the traceback
    curve: dict[int, float] = field(default_factory=dict)  # step -> the watched value, of each validation


def read_trials(sweep: Path) -> list[Trial]:
    """All trials of a sweep's folder that have begun, by number."""
    found = [read_trial(path.parent) for path in (sweep / "trials").glob(f"*/{RECORD}")]
    return sorted((trial for trial in found if trial is not None), key=lambda trial: trial.number)


def numbers(sweep: Path) -> dict[Path, int]:
    """The folders of all trials that have a number, also of those that have not begun."""
    return {path.parent: read_record(path.parent)["number"] for path in (sweep / "trials").glob(f"*/{RECORD}")}


def read_trial(folder: Path) -> Trial | None:
    """None where it has not begun."""
    record, run = read_record(folder), RunDirectory(folder)
    if "status" not in record:
        return None
    name = record["monitor"]
    curve = read_curve(run.curves, name)
    metrics = json.loads(run.metrics.read_text()) if record["status"] == "done" else {}
    last = curve[max(curve)] if curve and record["status"] == "pruned" else None
    return Trial(
        number=record["number"],
        overrides=record["overrides"],
        path=folder,
        status=record["status"],
        value=metrics.get(name, last),
        steps=metrics.get("step", max(curve, default=None)),
        seconds=record.get("seconds"),
        error=record.get("error"),
        curve=curve,
    )


def read_curve(path: Path, name: str) -> dict[int, float]:
    """One metric of a metrics.csv. Read here because the loggers' own reader comes with Lightning, which is slow."""
    if not path.is_file():
        return {}
    with path.open(newline="") as file:
        whole = [line for line in file if line.endswith("\n")]  # the last may be half written
    return {int(row["step"]): float(row["value"]) for row in csv.DictReader(whole) if row["metric"] == name}


def read_record(folder: Path) -> dict[str, Any]:
    path = folder / RECORD
    try:
        return json.loads(path.read_text()) if path.is_file() else {}
    except ValueError as error:
        raise ConfigError([f"{path}: is damaged ({error}); remove {folder} to run this trial anew"]) from error


def update_record(folder: Path, **facts: Any) -> None:
    """Change what trial.json says; the sweep writes it before a trial, and the process that watches it, during one."""
    folder.mkdir(parents=True, exist_ok=True)
    write_json(folder / RECORD, read_record(folder) | facts)
