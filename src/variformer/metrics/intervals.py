"""How sure is a metric, and do two models differ? By drawing samples from the rows again and again.

Efron, 1979; Koehn, 2004, "Statistical Significance Tests for Machine Translation Evaluation".
"""

from collections.abc import Callable, Iterator
from typing import NamedTuple

import numpy as np

Rows = dict[str, np.ndarray]  # numbers of each sample by name, (N, ...) each
Measure = Callable[[Rows], dict[str, float]]


class Interval(NamedTuple):
    low: float
    high: float


class Comparison(NamedTuple):
    """`difference` is the first model's value minus the second's, with the bounds of its interval.

    `p` is the probability that draws such as these show the smaller of the two as the better one, doubled: a difference
    of zero lies within the interval of 95% where p is above 0.05.
    """

    difference: float
    low: float
    high: float
    p: float


def bootstrap_intervals(
    measure: Measure, rows: Rows, *, draws: int = 1000, level: float = 0.95, seed: int = 0
) -> dict[str, Interval]:
    """The interval of each metric of `measure`: percentiles over `draws` sets of N samples, drawn with repetition.

    Raises ValueError where there is no row.
    """
    found: dict[str, list[float]] = {}
    for chosen in drawn(rows_of(rows), draws, seed):
        for name, value in measure(taken(rows, chosen)).items():
            found.setdefault(name, []).append(value)
    return {name: bounds(np.array(values), level) for name, values in found.items()}


def compare(
    measure: Measure, ours: Rows, theirs: Rows, metric: str, *, draws: int = 1000, level: float = 0.95, seed: int = 0
) -> Comparison:
    """The difference of two models in one metric, on rows of the same samples, by the paired bootstrap.

    Raises ValueError where there is no row, or the two have not as many, or `measure` has no such metric.
    """
    count = rows_of(ours)
    if rows_of(theirs) != count:
        raise ValueError(f"{count} rows and {rows_of(theirs)} rows cannot be paired: compare on the same samples")
    known = measure(ours)
    if metric not in known:
        raise ValueError(f"metric={metric}: choose {', '.join(known) or 'another objective, which measures rows'}")
    whole = known[metric] - measure(theirs)[metric]
    pairs = drawn(count, draws, seed)
    found = np.array([measure(taken(ours, c))[metric] - measure(taken(theirs, c))[metric] for c in pairs])
    one_sided = 1 + min((found <= 0).sum(), (found >= 0).sum())  # one more: the samples themselves are a draw, too
    low, high = bounds(found, level)
    return Comparison(whole, low, high, p=min(1.0, float(2 * one_sided / (1 + draws))))


def rows_of(rows: Rows) -> int:
    """How many there are. Raises ValueError for none."""
    count = len(next(iter(rows.values()), ()))
    if not count:
        raise ValueError("there is no row to draw from")
    return count


def drawn(count: int, draws: int, seed: int) -> Iterator[np.ndarray]:
    """`draws` times (N,) indices."""
    random = np.random.default_rng(seed)
    for _ in range(draws):
        yield random.integers(count, size=count)


def taken(rows: Rows, chosen: np.ndarray) -> Rows:
    return {name: column[chosen] for name, column in rows.items()}


def bounds(values: np.ndarray, level: float) -> Interval:
    """What a share of `level` of the values lies between."""
    low, high = np.quantile(values, [(1 - level) / 2, (1 + level) / 2])
    return Interval(float(low), float(high))
