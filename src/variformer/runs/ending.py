"""How a training ended: at its last step, or before it; the same on screen, in the run directory and on dashboards."""

import math
from typing import Any

import lightning as L
from ..training.callback import Stop
from ..run_directory.curves import read_curves
from ..training.loggers import show_end
from ..training.module import Training
from ..training.validation.early_stopping import stops
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
    objective = module.objective
    by_another = Stop("stopped", f"val/{objective.monitor}", objective.mode)
    stop = [by_another, *stops(trainer, module)][-1]
    facts: dict[str, Any] = {"ended": stop.reason, "step": step, "max_steps": steps, "metric": stop.metric}
    values = [(value, at) for at, name, value in read_curves(run.curves) if name == stop.metric and math.isfinite(value)]
    if values:
        facts["best"], facts["best_step"] = min(values) if stop.mode == "min" else max(values)
    return facts


def early(facts: dict[str, Any]) -> str | None:
    """A line about an end before the last step; None for any other."""
    if facts["ended"] == "max_steps":
        return None
    best = f"; best {facts['metric']} {facts['best']:.4f} at step {facts['best_step']}" if "best" in facts else ""
    return f"ended early, at step {facts['step']} of {facts['max_steps']} ({facts['ended']}){best}"
