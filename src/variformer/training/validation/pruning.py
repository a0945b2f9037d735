"""Stopping a trial of a search that is worse than the others."""

import json
import os
from pathlib import Path
from typing import Any, ClassVar

import lightning as L
from lightning import Callback

from ...searching import Pruned, built
from ..order import Order


class Pruning(Callback):
    """Reports each validation to the search's database, and stops the run where its pruner says so.

    `search` says where the database is, and which study and trial this run is; variformer.sweeps.search writes it.
    The run ends as any other does, with a last checkpoint, but has no final validation.
    """

    order: ClassVar[Order] = Order.STOP

    def __init__(self, search: dict[str, Any]):
        self.search = search
        self.stops = False

    @classmethod
    def of_this_process(cls) -> list["Pruning"]:
        """One, where the process is a trial of a search that prunes; the sweep names the trial's record."""
        record = os.environ.get("VARIFORMER_TRIAL")
        search = json.loads(Path(record).read_text())["search"] if record else {}
        return [cls(search)] if search.get("pruner") else []

    def on_validation_end(self, trainer: L.Trainer, module: Any) -> None:
        if trainer.state.fn != "fit" or trainer.sanity_checking:
            return
        value = module.results["val"][module.objective.monitor]
        decided = self.decide(trainer.global_step, value) if trainer.is_global_zero else False
        self.stops = trainer.strategy.broadcast(decided)
        if self.stops and trainer.global_step < trainer.max_steps:
            trainer.should_stop = True

    def decide(self, step: int, value: float) -> bool:
        import optuna

        pruner = built(self.search["pruner"], "pruner")
        study = optuna.load_study(study_name=self.search["study"], storage=self.search["storage"], pruner=pruner)
        trial = optuna.trial.Trial(study, self.search["trial"])
        if step not in study._storage.get_trial(trial._trial_id).intermediate_values:  # a resumed run may say it again
            trial.report(value, step)
        return trial.should_prune()

    def on_fit_end(self, trainer: L.Trainer, module: Any) -> None:
        """After the last checkpoint."""
        if self.stops and trainer.global_step < trainer.max_steps:
            raise Pruned(0)
