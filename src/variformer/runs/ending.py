"""How a training ended: at its last step, or early. The screen, status.json and dashboards say the same."""

import math
from typing import Any

import lightning as L

from ..run_directory.curves import read_curves
from ..run_directory.directory import RunDirectory
from ..training.callback import Stop
from ..training.loggers import show_end
from ..training.module import Training
from ..training.validation.early_stopping import stops
from .console import say
from .run import Run


def conclude(run: Run) -> None:
    """Keep for status.json how training ended, and say an end before the last step. Only the first process does so."""
    if run.trainer.is_global_zero:
        run.directory.ending = facts = ending(run.trainer, run.module, run.directory)
        if line := early(facts):
            say(line)
            show_end(run.trainer.loggers, line, facts, run.trainer.global_step)


def ending(trainer: L.Trainer, module: Training, directory: RunDirectory) -> dict[str, Any]:
    """The facts of an ending, for status.json.

    `ended` is max_steps, early_stopping, pruned, or stopped (by another callback). An early end also has its best
    value.
    """
    step, steps = trainer.global_step, trainer.max_steps
    if step >= steps:
        return {"ended": "max_steps", "step": step, "max_steps": steps}
    by_another = Stop("stopped", f"val/{module.objective.monitor}", module.objective.mode)
    stop = [by_another, *stops(trainer, module)][-1]
    facts: dict[str, Any] = {"ended": stop.reason, "step": step, "max_steps": steps, "metric": stop.metric}
    rows = [row for row in read_curves(directory.curves) if row[1] == stop.metric]
    values = [(value, at) for at, _, value in rows if math.isfinite(value)]
    if values:
        facts["best"], facts["best_step"] = min(values) if stop.mode == "min" else max(values)
    return facts


def early(facts: dict[str, Any]) -> str | None:
    """A line about an end before the last step; None for an end at the last step."""
    if facts["ended"] == "max_steps":
        return None
    best = f"; best {facts['metric']} {facts['best']:.4f} at step {facts['best_step']}" if "best" in facts else ""
    return f"ended early, at step {facts['step']} of {facts['max_steps']} ({facts['ended']}){best}"
