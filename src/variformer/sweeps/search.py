"""A search: Optuna proposes values, may end a trial early, and keeps the study. Trials run as in a grid."""

from collections.abc import Callable, Sequence
from functools import cached_property
from typing import TypeAlias

import optuna
from omegaconf import DictConfig
from optuna.trial import FrozenTrial, TrialState

from ..config import ConfigError
from ..config.tree import Config
from ..searching import optuna_object
from .directory import SweepDirectory, digest
from .planning import Point
from .space import space_of, text
from .trials import Study, Trial, read_record

Launch: TypeAlias = Callable[[Sequence[Point]], Sequence[Trial | None]]  # runs points; None: a point did not start
RETRY = "retry_of"  # an attribute of Optuna's trial: the number of the failed trial that had the same values
STATES = {"done": TrialState.COMPLETE, "pruned": TrialState.PRUNED, "failed": TrialState.FAIL}


class Search:
    """The study of a sweep, in study.db of its folder unless `hydra.sweeper.storage` names another database.

    `settings` are those of conf/hydra/sweeper, `space` is in Hydra's grammar, and `mode` is min or max.
    Raises ConfigError if the space, the sampler or the pruner is wrong, before anything is written.
    """

    def __init__(self, directory: SweepDirectory, settings: DictConfig, space: Config, mode: str):
        optuna.logging.set_verbosity(optuna.logging.WARNING)
        self.directory, self.settings, self.mode = directory, settings, mode
        self.space = space_of(space)
        self.sampler: Config = dict(settings.sampler)
        self.pruner: Config = dict(settings.pruner)
        self.storage: str = settings.storage or f"sqlite:///{directory.study.resolve()}"
        try:
            optuna_object(self.sampler, "sampler")
            optuna_object(self.pruner, "pruner")
        except ValueError as error:
            raise ConfigError([str(error)]) from error

    @property
    def name(self) -> str:
        """The name of the study. In a database that sweeps share, two folders of the same name are two studies."""
        path = self.directory.path
        return f"{path.name}-{digest(str(path.resolve()))}" if self.settings.storage else path.name

    @cached_property
    def study(self) -> optuna.Study:
        return optuna.create_study(
            storage=self.storage,
            study_name=self.name,
            direction="minimize" if self.mode == "min" else "maximize",
            load_if_exists=True,
        )

    def run(self, launch: Launch, goes_on: Callable[[], bool]) -> None:
        """Launch trials until `n_trials` have an outcome, `n_jobs` at a time, while the sweep `goes_on`.

        The unfinished trials of an earlier session come first. A trial that somebody else stopped (scancel) is
        continued when the sweep is; no other trial takes its place.
        """
        batch, stopped = self.unfinished(), 0
        if self.settings.retry_failed:
            self.enqueue_failed()
        while goes_on():
            waiting = len(self.study.get_trials(deepcopy=False, states=[TrialState.WAITING]))
            missing = max(0, self.settings.n_trials - self.outcomes() - len(batch) - stopped) + waiting
            batch += [self.proposed() for _ in range(min(self.settings.n_jobs - len(batch), missing))]
            if not batch:
                return
            for trial, result in zip(batch, launch([self.point(each) for each in batch]), strict=True):
                stopped += not self.has_ended(trial, result)
            batch = []

    def unfinished(self) -> list[FrozenTrial]:
        """The trials that were running when the sweep ended. One that had no values yet is called failed."""
        running = self.study.get_trials(deepcopy=False, states=[TrialState.RUNNING])
        for trial in running:
            if not self.has_values(trial):
                self.study.tell(trial.number, state=TrialState.FAIL)
        return [trial for trial in running if self.has_values(trial)]

    def enqueue_failed(self) -> None:
        """Let failed trials be tried again with the same values. A trial waits for one such try at a time."""
        trials = self.study.get_trials(deepcopy=False)
        under_way = {each.user_attrs.get(RETRY) for each in trials if not each.state.is_finished()}
        for trial in trials:
            record = read_record(self.directory.trial(overrides_of(trial)))
            is_last = record.get("status") == "failed" and record["search"].get("trial") == trial._trial_id
            if trial.state == TrialState.FAIL and is_last and trial.number not in under_way:
                self.study.enqueue_trial(trial.params, user_attrs={RETRY: trial.number})

    def outcomes(self) -> int:
        """How many points have an outcome. A second try at a point does not count."""
        finished = self.study.get_trials(deepcopy=False, states=list(STATES.values()))
        return len([each for each in finished if RETRY not in each.user_attrs and self.has_values(each)])

    def has_values(self, trial: FrozenTrial) -> bool:
        return trial.params.keys() == self.space.keys()

    def proposed(self) -> FrozenTrial:
        """The next trial: one that waits to be tried again, or one that the sampler proposes."""
        number = len(self.study.get_trials(deepcopy=False))
        self.study.sampler = optuna_object(self.sampler, "sampler", number)
        trial = self.study.ask(self.space)
        return self.study.get_trials(deepcopy=False)[trial.number]

    def point(self, trial: FrozenTrial) -> Point:
        search = Study(storage=self.storage, study=self.study.study_name, trial=trial._trial_id, pruner=self.pruner)
        return Point(trial.number, overrides_of(trial), search)

    def has_ended(self, trial: FrozenTrial, result: Trial | None) -> bool:
        """Give the study the outcome of a trial. A trial without one is the first when the sweep is continued."""
        if result is None or result.status not in STATES:
            return False
        state = STATES[result.status]
        self.study.tell(trial.number, result.value if state == TrialState.COMPLETE else None, state)
        return True


def overrides_of(trial: FrozenTrial) -> dict[str, str]:
    return {key: text(value) for key, value in trial.params.items()}
