"""The outcome of a trial, from how its process ended and what its run directory says."""

import json
import math
import signal
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..run_directory.directory import RunDirectory
from .trials import read_record

LAST = 15  # the lines of output that go into the record


@dataclass(frozen=True)
class Ending:
    """How the process of a trial ended."""

    code: int  # as subprocess has it: negative for the signal that killed it
    stop: int | None = None  # the signal that stopped the sweep meanwhile
    timeout: float | None = None  # seconds, if the trial took longer
    received: int | None = None  # the signal that the process of the sweep's job received meanwhile


def outcome(folder: Path, ending: Ending, printed: str) -> tuple[str, str | None]:
    """(status, error). The error's first line says what happened; the traceback or the last output follows."""
    run = RunDirectory(folder)
    record = json.loads(run.status_file.read_text()) if run.status_file.is_file() else {}
    status = record.get("status")
    if ending.timeout is not None:
        return "failed", with_lines(f"took longer than hydra.sweeper.timeout={ending.timeout:g} s", printed)
    if ending.code == 0 and status == "pruned":
        return "pruned", None
    if ending.code == 0 and status == "done":
        return finished(folder, run, printed)
    if ending.stop is not None or (status == "preempted" and ending.code > 128):
        return "preempted", None
    if status == "failed" and ending.code not in (0, 2):
        return "failed", f"{record['error']}\n{record['traceback']}"
    if ending.code < 0:
        return "failed", with_lines(f"killed by {signal.Signals(-ending.code).name}", printed)
    if ending.code == 0:
        return "failed", with_lines("exited with code 0 before the end of training, without a result", printed)
    last = printed.strip().splitlines()[-1:] or ["no output"]
    return "failed", with_lines(f"exited with code {ending.code}: {last[0]}", printed)


def finished(folder: Path, run: RunDirectory, printed: str) -> tuple[str, str | None]:
    name = read_record(folder)["monitor"]
    metrics: dict[str, Any] = json.loads(run.metrics.read_text()) if run.metrics.is_file() else {}
    if name not in metrics:
        return "failed", with_lines(f"ended without a value of {name}", printed)
    if not math.isfinite(metrics[name]):
        return "failed", with_lines(f"ended with {name} at {metrics[name]}", printed)
    return "done", None


def with_lines(first: str, printed: str) -> str:
    return "\n".join([first, *printed.strip().splitlines()[-LAST:]])
