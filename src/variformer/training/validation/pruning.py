"""Stopping a trial of a search that is worse than the others."""

import json
import os
from pathlib import Path
from typing import Any, ClassVar, TypedDict

import lightning as L

from ...searching import Pruned, optuna_object
from ..callback import RunCallback, Stop
from ..contract import training_module
from ..order import Order


class Search(TypedDict, total=False):
    """Where the database of a search is, and which trial of it this run is. `sweeps.search` writes it."""

    storage: str
    study: str
    trial: int
    pruner: dict[str, Any]


class Pruning(RunCallback):
    """Reports each validation to the search's database, and stops the run where its pruner says so.

    The run ends as any other does, with a last checkpoint, but it has no final validation.
    """

    order: ClassVar[Order] = Order.STOP

    def __init__(self, search: Search):
        self.search = search
        self.stops = False

    @classmethod
    def of_this_process(cls) -> list["Pruning"]:
        """One, where the process is a trial of a search with a pruner. The sweep names the trial's record."""
        record = os.environ.get("VARIFORMER_TRIAL")
        search: Search = json.loads(Path(record).read_text())["search"] if record else {}
        return [cls(search)] if search.get("pruner") else []

    def on_validation_end(self, trainer: L.Trainer, module: L.LightningModule) -> None:
        if trainer.state.fn != "fit" or trainer.sanity_checking:
            return
        own = training_module(module)
        value = own.results["val"][own.objective.monitor]
        decided = self.decide(trainer.global_step, value) if trainer.is_global_zero else False
        self.stops = trainer.strategy.broadcast(decided)
        if self.stops and trainer.global_step < trainer.max_steps:
            trainer.should_stop = True

    def decide(self, step: int, value: float) -> bool:
        import optuna

        pruner = optuna_object(self.search["pruner"], "pruner")
        study = optuna.load_study(study_name=self.search["study"], storage=self.search["storage"], pruner=pruner)
        trial = optuna.trial.Trial(study, self.search["trial"])
        reported = study.get_trials(deepcopy=False)[trial.number].intermediate_values
        if step not in reported:  # a resumed run may come to the same step again
            trial.report(value, step)
        return trial.should_prune()

    def stopped(self, module: L.LightningModule) -> Stop | None:
        objective = training_module(module).objective
        return Stop("pruned", f"val/{objective.monitor}", objective.mode) if self.stops else None

    def on_fit_end(self, trainer: L.Trainer, module: L.LightningModule) -> None:
        """After the last checkpoint."""
        if self.stops and trainer.global_step < trainer.max_steps:
            raise Pruned(0)
