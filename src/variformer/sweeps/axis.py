"""The axes of pictures: the values of each swept key over several trials, as numbers or names."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median

from optuna.distributions import BaseDistribution, CategoricalDistribution, FloatDistribution, IntDistribution

from .space import Space
from .trials import Trial

WIDE = 8  # an axis is logarithmic only if the largest number is this many times the smallest
FEW = 6  # up to this many different values each get a tick
APART = 0.06  # fraction of an axis, so that the texts of two ticks do not overlap


@dataclass(frozen=True)
class Axis:
    """One quantity of several trials: `numbers` between `low` and `high`, or `names` if it is a choice."""

    label: str
    texts: Sequence[str]
    numbers: Sequence[float] | None = None
    low: float = 0.0
    high: float = 1.0
    log: bool = False

    @property
    def names(self) -> list[str]:
        return list(dict.fromkeys(self.texts))

    def distribution(self) -> BaseDistribution:
        if self.numbers is None:
            return CategoricalDistribution(self.names)
        return FloatDistribution(self.low, self.high, log=self.log)

    def values(self) -> Sequence[float | str]:
        return self.texts if self.numbers is None else self.numbers

    def heights(self) -> list[float]:
        """The place of each trial on this axis, from 0 at the lower end to 1 at the upper end."""
        return [self.height(value) for value in self.values()]

    def height(self, value: float | str) -> float:
        if self.numbers is None:
            return (self.names.index(str(value)) + 0.5) / len(self.names)
        return position(float(value), self.low, self.high, self.log)

    def ticks(self) -> list[tuple[float, str]]:
        """(height, text) of every value if there are few, else of the ends and some values between."""
        if self.numbers is None:
            return [(self.height(name), name) for name in self.names]
        places = sorted(set(self.numbers))
        if len(places) > FEW and self.log:
            powers = range(math.ceil(math.log10(self.low)), math.ceil(math.log10(self.high)))
            places = [self.low, *(10.0**power for power in powers), self.high]
        elif len(places) > FEW:
            places = [self.low + (self.high - self.low) * quarter / 4 for quarter in range(5)]
        return spaced([(self.height(place), short(place)) for place in places])


def axes_of(trials: Sequence[Trial], space: Space) -> list[Axis]:
    """An axis for each key that differs between these trials. `space` gives the ends of the axes of its keys."""
    keys = dict.fromkeys(key for trial in trials for key in trial.overrides)
    columns = {key: [trial.overrides.get(key, "-") for trial in trials] for key in keys}
    return [axis(key, texts, space.get(key)) for key, texts in columns.items() if len(set(texts)) > 1]


def axis(label: str, texts: Sequence[str], known: BaseDistribution | None = None) -> Axis:
    numbers = numbers_of(texts)
    if numbers is None:
        return Axis(label, texts)
    low, high = min(numbers), max(numbers)
    if isinstance(known, FloatDistribution | IntDistribution):
        return Axis(label, texts, numbers, min(low, known.low), max(high, known.high), known.log)
    return Axis(label, texts, numbers, low, high, is_even_in_logarithm(numbers))


def numbers_of(texts: Sequence[str]) -> list[float] | None:
    """All texts as numbers; None if one of them is not a number."""
    try:
        numbers = [float(text) for text in texts]
    except ValueError:
        return None
    return numbers if all(map(math.isfinite, numbers)) else None


def is_even_in_logarithm(numbers: Sequence[float]) -> bool:
    """Whether the median lies nearer to the middle of a logarithmic axis than to the middle of a linear one."""
    low, middle, high = min(numbers), median(numbers), max(numbers)
    if low <= 0 or high < WIDE * low:
        return False
    return abs(position(middle, low, high, True) - 0.5) < abs(position(middle, low, high, False) - 0.5)


def position(value: float, low: float, high: float, log: bool) -> float:
    """The place of a value between `low` and `high`, from 0 to 1."""
    if low == high:
        return 0.5
    scale = math.log if log else float
    return (scale(value) - scale(low)) / (scale(high) - scale(low))


def spaced(ticks: Sequence[tuple[float, str]]) -> list[tuple[float, str]]:
    """The ticks whose texts do not overlap; both ends stay."""
    *inner, last = ticks
    kept = inner[:1]
    for tick in inner[1:]:
        if tick[0] - kept[-1][0] > APART and last[0] - tick[0] > APART:
            kept.append(tick)
    return [*kept, last]


def short(value: float | str) -> str:
    """Four significant digits of a number, or of a text that is a number; other texts as they are."""
    numbers = numbers_of([str(value)])
    if numbers is None:
        return str(value)
    return str(int(numbers[0])) if numbers[0].is_integer() and abs(numbers[0]) < 1e7 else f"{numbers[0]:.4g}"
