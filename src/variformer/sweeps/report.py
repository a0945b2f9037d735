"""The report of a sweep: a table on screen and as csv, the best trial as a command line, and pictures."""

import csv
import io
import shlex
import sys
from collections.abc import Sequence
from math import inf, isfinite
from pathlib import Path

from rich.console import Console
from rich.table import Table

from ..run_directory.directory import write_json, write_text
from .axis import short
from .figures import draw_figures
from .space import Space
from .trials import Trial

ORDER = ("done", "pruned", "preempted", "running", "failed")
MOST_ON_SCREEN = 40  # trials.csv has them all
WIDTH_OF_LOGS = 160  # if the output is no terminal, which would wrap lines


def report(
    sweep: Path, trials: Sequence[Trial], *, monitor: str, mode: str, command: Sequence[str], space: Space | None = None
) -> None:
    """Print the outcome of a sweep and write it into its folder `sweep`.

    `monitor` is the metric's full name, such as val/loss, and `mode` says whether its min or max is best. `command` are
    the words that start a trial, without the swept values. `space` gives the ends of the axes in a search's pictures.
    """
    ranked = rank(trials, mode)
    width = None if sys.stdout.isatty() else WIDTH_OF_LOGS
    console = Console(width=width, highlight=False, markup=False, emoji=False)  # a value may look like markup
    console.print(table(ranked[:MOST_ON_SCREEN], monitor))
    write_csv(sweep / "trials.csv", ranked, monitor)
    if len(ranked) > MOST_ON_SCREEN:
        console.print(f"{len(ranked) - MOST_ON_SCREEN} more")
    pictures, reasons = draw_figures(sweep / "figures", ranked, monitor, mode, space or {})
    lines = [counts(ranked), f"table: {sweep / 'trials.csv'}", *(f"figure: {path}" for path in pictures), *reasons]
    print("\n".join([*lines, *best_lines(sweep, ranked, monitor, mode, command)]), flush=True)


def rank(trials: Sequence[Trial], mode: str) -> list[Trial]:
    """The best first; then trials without a value, those that did not finish, and last those that failed."""

    def place(trial: Trial) -> tuple[int, float, int]:
        value = trial.value if trial.value is not None and isfinite(trial.value) else None
        worth = inf if value is None else value if mode == "min" else -value
        return ORDER.index(trial.status), worth, trial.number

    return sorted(trials, key=place)


def table(ranked: Sequence[Trial], monitor: str) -> Table:
    keys = swept_keys(ranked)
    grid = Table("trial", *keys, title_justify="left", box=None, header_style="bold", pad_edge=False)
    for name in (monitor, "steps", "time"):
        grid.add_column(name, justify="right")
    grid.add_column("status", overflow="fold")
    for trial in ranked:
        status = f"{trial.status}: {summary(trial.error)}" if trial.error else trial.status
        numbers = ["" if value is None else short(value) for value in (trial.value, trial.steps)]
        values = [short(trial.overrides.get(key, "-")) for key in keys]
        style = {"done": None, "failed": "red"}.get(trial.status, "dim")
        grid.add_row(str(trial.number), *values, *numbers, clock(trial.seconds), status, style=style)
    return grid


def swept_keys(trials: Sequence[Trial]) -> list[str]:
    return list(dict.fromkeys(key for trial in trials for key in trial.overrides))


def write_csv(path: Path, ranked: Sequence[Trial], monitor: str) -> None:
    """One row per trial with all digits of its values, in the order of the table."""
    keys = swept_keys(ranked)
    text = io.StringIO(newline="")
    writer = csv.writer(text)
    writer.writerow(["trial", *keys, monitor, "steps", "seconds", "status", "run_dir", "error"])
    for trial in ranked:
        values = [trial.overrides.get(key, "") for key in keys]
        ended = [trial.value, trial.steps, trial.seconds, trial.status, trial.path, summary(trial.error or "")]
        writer.writerow([trial.number, *values, *ended])
    write_text(path, text.getvalue())


def best_lines(sweep: Path, ranked: Sequence[Trial], monitor: str, mode: str, command: Sequence[str]) -> list[str]:
    """Lines on the best finished trial, which is also written to best.json."""
    best = next((t for t in ranked if t.status == "done" and t.value is not None and isfinite(t.value)), None)
    if best is None:
        (sweep / "best.json").unlink(missing_ok=True)
        return [f"no trial finished with a value of {monitor}: there is no best trial"]
    again = shlex.join([*command, *(f"{key}={value}" for key, value in best.overrides.items())])
    facts = {"trial": best.number, "monitor": monitor, "mode": mode, "value": best.value, "steps": best.steps}
    write_json(sweep / "best.json", facts | {"overrides": best.overrides, "run_dir": str(best.path), "command": again})
    return [
        f"best: trial {best.number}, {monitor} {short(best.value or 0.0)}, in {best.path}",
        f"to train it again:\n  {again}",
    ]


def counts(trials: Sequence[Trial]) -> str:
    found = {status: sum(trial.status == status for trial in trials) for status in ORDER}
    text = ", ".join(f"{count} {status}" for status, count in found.items() if count)
    return f"{len(trials)} trials: {text}" if text else "no trials"


def summary(error: str) -> str:
    """The line of an error that says what it is: the last one of a traceback, else the first one."""
    lines = [line for line in error.splitlines() if line.strip()]
    if not lines:
        return ""
    return lines[-1] if lines[0].startswith("Traceback") else lines[0]


def clock(seconds: float | None) -> str:
    """75.3 -> 1:15; 3675 -> 1:01:15."""
    if seconds is None:
        return ""
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"
