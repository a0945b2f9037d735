"""Learning-rate schedules: the step, counted from 0, and the number of steps -> a factor of the peak rate.

Warm-up is a number of steps (an int) or a fraction of all steps (a float below 1). It is linear from the first step on.
"""

import math
from abc import ABC, abstractmethod
from dataclasses import dataclass

from ..ranges import Probability, StepsOrShare

__all__ = ["Constant", "Cosine", "InverseSquareRoot", "Linear", "Schedule", "WarmupStableDecay"]


@dataclass(frozen=True)
class Schedule(ABC):
    """A warm-up of `warmup` steps, then the subclass's curve, never below `floor` times the peak."""

    warmup: StepsOrShare = 0
    floor: Probability = 0.0

    def __call__(self, step: int, total: int) -> float:
        warmup = steps_of(self.warmup, total)
        if step < warmup:
            return (step + 1) / warmup
        return self.floor + (1 - self.floor) * self.after(step - warmup, warmup, max(total - warmup, 1))

    @abstractmethod
    def after(self, step: int, warmup: int, rest: int) -> float:
        """The factor at `step`, counted from the end of the warm-up, of `rest` steps."""


@dataclass(frozen=True)
class Constant(Schedule):
    """Stays at the peak."""

    def after(self, step: int, warmup: int, rest: int) -> float:
        return 1.0


@dataclass(frozen=True)
class Cosine(Schedule):
    """Half a cosine (Loshchilov and Hutter, 2016, "SGDR", section 3, without restarts)."""

    def after(self, step: int, warmup: int, rest: int) -> float:
        return 0.5 * (1 + math.cos(math.pi * min(step / rest, 1.0)))


@dataclass(frozen=True)
class Linear(Schedule):
    """A straight line down (Devlin et al., 2018, appendix A.2)."""

    def after(self, step: int, warmup: int, rest: int) -> float:
        return max(1 - step / rest, 0.0)


@dataclass(frozen=True)
class InverseSquareRoot(Schedule):
    """sqrt(warmup / step) (Vaswani et al., 2017, section 5.3; T5 with a warm-up of 10,000)."""

    def after(self, step: int, warmup: int, rest: int) -> float:
        return math.sqrt(max(warmup, 1) / max(step + warmup, 1))


@dataclass(frozen=True)
class WarmupStableDecay(Schedule):
    """The peak until the last `decay` steps (or fraction of all), then a straight line (MiniCPM, Hu et al., 2024)."""

    decay: StepsOrShare = 0.2

    def after(self, step: int, warmup: int, rest: int) -> float:
        decay = max(steps_of(self.decay, rest + warmup), 1)
        return min((rest - step) / decay, 1.0) if step < rest else 0.0


def interval(every: int | float | None, total: int) -> int:
    """The steps from one validation to the next: a number, a share of the total, or (None) all of them."""
    return total if every is None else max(1, steps_of(every, total))


def steps_of(count_or_fraction: int | float, total: int) -> int:
    """2000 -> 2000; 0.1 -> a tenth of the total."""
    return round(count_or_fraction * total) if isinstance(count_or_fraction, float) else count_or_fraction
