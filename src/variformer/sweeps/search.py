"""A search: Optuna proposes what to try, judges it while it runs, and keeps the study; trials are run as in a grid."""

from functools import cached_property
from typing import TYPE_CHECKING, Any

import optuna
from optuna.trial import FrozenTrial, TrialState

from ..config import ConfigError
from ..searching import built
from .directory import digest
from .planning import Point
from .space import space_of, text
from .trials import Trial, read_record

if TYPE_CHECKING:
    from .sweeping import Sweep

RETRY = "retry_of"  # on a trial of Optuna's: the number of the failed one with the same values
STATES = {"done": TrialState.COMPLETE, "pruned": TrialState.PRUNED, "failed": TrialState.FAIL}


class Search:
    """The study of a sweep, in study.db of its folder unless `hydra.sweeper.storage` names another database.

    Raises ConfigError for a space, a sampler or a pruner that is wrong, before anything is written.
    """

    def __init__(self, sweep: "Sweep"):
        optuna.logging.set_verbosity(optuna.logging.WARNING)
        self.sweep, self.settings = sweep, sweep.settings
        self.space = space_of(sweep.plan.space or {})
        self.sampler: dict[str, Any] = dict(self.settings.sampler)
        self.pruner: dict[str, Any] = dict(self.settings.pruner)
        self.storage = self.settings.storage or f"sqlite:///{sweep.directory.study.resolve()}"
        try:
            built(self.sampler, "sampler"), built(self.pruner, "pruner")
        except ValueError as error:
            raise ConfigError([str(error)]) from error

    @property
    def name(self) -> str:
        """Of the study; in a database that sweeps share, two folders of the same name are two studies."""
        path = self.sweep.directory.path
        return f"{path.name}-{digest(str(path.resolve()))}" if self.settings.storage else path.name

    @cached_property
    def study(self) -> optuna.Study:
        return optuna.create_study(
            storage=self.storage,
            study_name=self.name,
            direction="minimize" if self.sweep.mode == "min" else "maximize",
            load_if_exists=True,
        )

    def run(self) -> None:
        """Until `n_trials` have an outcome, `n_jobs` at a time; those of an earlier session first.

        A trial that somebody else stopped (scancel) keeps its place for when the sweep goes on; none is drawn for it.
        """
        batch, left = self.unfinished(), 0
        if self.settings.retry_failed:
            self.enqueue_failed()
        while self.sweep.directory.stopped_by() is None and not self.sweep.gave_up:
            waiting = len(self.study.get_trials(deepcopy=False, states=[TrialState.WAITING]))
            missing = max(0, self.settings.n_trials - self.outcomes() - len(batch) - left) + waiting
            batch += [self.proposed() for _ in range(min(self.settings.n_jobs - len(batch), missing))]
            if not batch:
                return
            for trial, result in zip(batch, self.sweep.launch([self.point(each) for each in batch]), strict=True):
                left += not self.tell(trial, result)
            batch = []

    def unfinished(self) -> list[FrozenTrial]:
        """What was running when the sweep ended; but for one whose values had not been drawn yet, which is dropped."""
        running = self.study.get_trials(deepcopy=False, states=[TrialState.RUNNING])
        for trial in running:
            if not self.is_drawn(trial):
                self.study.tell(trial.number, state=TrialState.FAIL)
        return [trial for trial in running if self.is_drawn(trial)]

    def enqueue_failed(self) -> None:
        """Failed trials are to be tried again, with the values that they had; once, until that is over."""
        trials = self.study.get_trials(deepcopy=False)
        under_way = {each.user_attrs.get(RETRY) for each in trials if not each.state.is_finished()}
        for trial in trials:
            record = read_record(self.sweep.directory.trial(overrides_of(trial)))
            is_last = record.get("status") == "failed" and record["search"].get("trial") == trial._trial_id
            if trial.state == TrialState.FAIL and is_last and trial.number not in under_way:
                self.study.enqueue_trial(trial.params, user_attrs={RETRY: trial.number})

    def outcomes(self) -> int:
        """How many points have one. A second try at the same point is not another."""
        finished = self.study.get_trials(deepcopy=False, states=list(STATES.values()))
        return len([each for each in finished if RETRY not in each.user_attrs and self.is_drawn(each)])

    def is_drawn(self, trial: FrozenTrial) -> bool:
        return trial.params.keys() == self.space.keys()

    def proposed(self) -> FrozenTrial:
        """The sampler's next point, or one that waits to be tried again."""
        number = len(self.study.get_trials(deepcopy=False))
        self.study.sampler = built(self.sampler, "sampler", number)
        trial = self.study.ask(self.space)
        return self.study.get_trials(deepcopy=False)[trial.number]

    def point(self, trial: FrozenTrial) -> Point:
        search = {"storage": self.storage, "study": self.study.study_name, "trial": trial._trial_id}
        return Point(trial.number, overrides_of(trial), search | {"pruner": self.pruner})

    def tell(self, trial: FrozenTrial, result: Trial | None) -> bool:
        """Whether it has ended. If not, it stays Optuna's running one, and is the first when the sweep goes on."""
        if result is None or result.status not in STATES:
            return False
        state = STATES[result.status]
        self.study.tell(trial.number, result.value if state == TrialState.COMPLETE else None, state)
        return True


def overrides_of(trial: FrozenTrial) -> dict[str, str]:
    return {key: text(value) for key, value in trial.params.items()}
