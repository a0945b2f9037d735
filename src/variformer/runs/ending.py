"""How a training ended: at its last step, or before it; the same on screen, in the run directory and on dashboards."""

import math
from typing import Any

import lightning as L
from lightning.pytorch.callbacks import EarlyStopping
from lightning.pytorch.callbacks.early_stopping import EarlyStoppingReason

from ..training.callbacks import Pruning
from ..run_directory.curves import read_curves
from ..training.loggers import show_end
from ..training.module import Training
from ..run_directory.directory import RunDirectory
from .stopping import tell


def conclude(trainer: L.Trainer, module: Training, run: RunDirectory) -> None:
    """Keep for status.json how training ended; an end before the last step is shown, too. On the first process."""
    if trainer.is_global_zero:
        run.ending = ending(trainer, module, run)
        if line := early(run.ending):
            tell(line)
            show_end(trainer.loggers, line, run.ending, trainer.global_step)


def ending(trainer: L.Trainer, module: Training, run: RunDirectory) -> dict[str, Any]:
    """`ended` is max_steps, early_stopping, pruned, or stopped by another callback; an early end has its best value."""
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
    values = [(value, at) for at, name, value in read_curves(run.curves) if name == metric and math.isfinite(value)]
    if values:
        facts["best"], facts["best_step"] = min(values) if mode == "min" else max(values)
    return facts


def early(facts: dict[str, Any]) -> str | None:
    """A line about an end before the last step; None for any other."""
    if facts["ended"] == "max_steps":
        return None
    best = f"; best {facts['metric']} {facts['best']:.4f} at step {facts['best_step']}" if "best" in facts else ""
    return f"ended early, at step {facts['step']} of {facts['max_steps']} ({facts['ended']}){best}"
