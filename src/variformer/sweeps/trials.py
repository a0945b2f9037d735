"""The trials in the folder of a sweep: their records, and what became of them."""

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypedDict, Unpack

from ..config import ConfigError
from ..config.tree import Config
from ..run_directory.curves import read_curves
from ..run_directory.directory import RunDirectory, write_json

RECORD = "trial.json"
FINISHED = ("done", "pruned")  # such trials never run again


class Study(TypedDict, total=False):
    """Where a search keeps what it knows of a trial."""

    storage: str
    study: str
    trial: int
    pruner: Config


class Record(TypedDict, total=False):
    """What trial.json holds. The sweep writes it before a trial starts, and the trial's job writes it afterwards."""

    number: int
    overrides: dict[str, str]
    search: Study
    monitor: str
    status: str  # missing before the trial starts
    error: str | None
    command: list[str]
    attempt: str | None
    seconds: float


@dataclass
class Trial:
    """One point of a sweep and what became of it."""

    number: int
    overrides: dict[str, str]  # the swept values, as the command line writes them
    path: Path
    status: str  # running, done, failed, preempted or pruned
    value: float | None  # of the metric that the objective monitors, at the end or when it was pruned
    steps: int | None = None
    seconds: float | None = None
    error: str | None = None  # of a failed trial: what went wrong in one line, and below it the traceback
    curve: dict[int, float] = field(default_factory=dict)  # step -> the monitored value, of each validation


def read_trials(sweep: Path) -> list[Trial]:
    """All trials of a sweep's folder that have started, in the order of their numbers."""
    found = [read_trial(path.parent) for path in (sweep / "trials").glob(f"*/{RECORD}")]
    return sorted((trial for trial in found if trial is not None), key=lambda trial: trial.number)


def numbers(sweep: Path) -> dict[Path, int]:
    """The folder and the number of each trial, also of those that have not started."""
    return {path.parent: read_record(path.parent)["number"] for path in (sweep / "trials").glob(f"*/{RECORD}")}


def read_trial(folder: Path) -> Trial | None:
    """The trial in a folder; None if it has not started."""
    record, run = read_record(folder), RunDirectory(folder)
    if "status" not in record:
        return None
    name = record["monitor"]
    curve = {step: value for step, metric, value in read_curves(run.curves) if metric == name}
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


def read_record(folder: Path) -> Record:
    """What trial.json of a folder holds; nothing if there is none. Raises ConfigError if it is damaged."""
    path = folder / RECORD
    try:
        return json.loads(path.read_text()) if path.is_file() else {}
    except ValueError as error:
        raise ConfigError([f"{path}: is damaged ({error}); remove {folder} to run this trial again"]) from error


def update_record(folder: Path, **changes: Unpack[Record]) -> None:
    """Change some of what trial.json holds."""
    folder.mkdir(parents=True, exist_ok=True)
    write_json(folder / RECORD, {**read_record(folder), **changes})
