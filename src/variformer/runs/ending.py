"""How a training ended: at its last step, or early. The screen, status.json and dashboards say the same."""

import math
from typing import Any

import lightning as L
from lightning.pytorch.callbacks import EarlyStopping
from lightning.pytorch.callbacks.early_stopping import EarlyStoppingReason

from ..run_directory.directory import RunDirectory
from ..training.callbacks import Pruning
from ..training.loggers import read_curves, show_end
from ..training.module import Training
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
    callbacks: list[Any] = trainer.callbacks  # type: ignore[attr-defined]
    metric: str = f"val/{module.objective.monitor}"
    mode: str = module.objective.mode
    why = "pruned" if any(isinstance(each, Pruning) and each.stops for each in callbacks) else "stopped"
    for each in callbacks:
        if isinstance(each, EarlyStopping) and each.stopping_reason != EarlyStoppingReason.NOT_STOPPED:
            why, metric, mode = "early_stopping", each.monitor, each.mode
    facts: dict[str, Any] = {"ended": why, "step": step, "max_steps": steps, "metric": metric}
    values = [
        (value, at) for at, name, value in read_curves(directory.curves) if name == metric and math.isfinite(value)
    ]
    if values:
        facts["best"], facts["best_step"] = min(values) if mode == "min" else max(values)
    return facts


def early(facts: dict[str, Any]) -> str | None:
    """A line about an end before the last step; None for an end at the last step."""
    if facts["ended"] == "max_steps":
        return None
    best = f"; best {facts['metric']} {facts['best']:.4f} at step {facts['best_step']}" if "best" in facts else ""
    return f"ended early, at step {facts['step']} of {facts['max_steps']} ({facts['ended']}){best}"
