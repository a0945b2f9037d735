"""Intervals hold the true value as often as they promise, and equal models do not differ."""

import numpy as np
import pytest
from scipy import stats

from variformer.metrics.intervals import bootstrap_intervals, compare


def mean(rows) -> dict[str, float]:
    return {"mean": float(rows["value"].mean())}


def f1(rows) -> dict[str, float]:
    true, found, both = rows["counts"].sum(0)
    return {"f1": 2 * both / (true + found)}


def simulated(random: np.random.Generator, count: int) -> dict[str, np.ndarray]:
    """A sentence has up to 3 entities, of which 0.8 are found, and 0.25 others are found on average."""
    true = random.integers(0, 4, count)
    both = random.binomial(true, 0.8)
    return {"counts": np.stack([true, both + random.poisson(0.25, count), both], 1)}


TRUE_F1 = 2 * 1.2 / (1.5 + 1.2 + 0.25)


def coverage(experiments: int, samples: int, draws: int) -> float:
    random, held = np.random.default_rng(1), 0
    for number in range(experiments):
        low, high = bootstrap_intervals(f1, simulated(random, samples), draws=draws, seed=number)["f1"]
        held += low <= TRUE_F1 <= high
    return held / experiments


def test_nineteen_of_twenty_intervals_hold_the_true_value():
    assert 0.93 <= coverage(experiments=400, samples=150, draws=200) <= 0.97


@pytest.mark.slow
def test_the_coverage_of_many_intervals_is_exact():
    assert 0.94 <= coverage(experiments=2000, samples=300, draws=500) <= 0.96


def test_the_interval_of_a_mean_is_that_of_scipy():
    values = np.random.default_rng(0).exponential(size=200)
    low, high = bootstrap_intervals(mean, {"value": values}, draws=4000)["mean"]
    expected = stats.bootstrap((values,), np.mean, n_resamples=4000, method="percentile", rng=1).confidence_interval
    assert (low, high) == pytest.approx(tuple(expected), abs=0.01)
    narrow = bootstrap_intervals(mean, {"value": values}, draws=500, level=0.5)["mean"]
    assert low < narrow.low < values.mean() < narrow.high < high


def test_the_same_seed_gives_the_same_interval():
    rows = simulated(np.random.default_rng(0), 50)
    again = [bootstrap_intervals(f1, rows, draws=50, seed=seed) for seed in (3, 3, 4)]
    assert again[0] == again[1] != again[2]


def test_a_run_does_not_differ_from_itself():
    rows = simulated(np.random.default_rng(0), 50)
    found = compare(f1, rows, rows, "f1", draws=100)
    assert found == (0.0, 0.0, 0.0, 1.0)


def test_a_better_run_is_seen_and_the_sides_are_symmetric():
    random = np.random.default_rng(0)
    worse = random.binomial(1, 0.6, 300)
    rows, better = {"value": worse}, {"value": worse | random.binomial(1, 0.2, 300)}
    found, mirrored = compare(mean, better, rows, "mean"), compare(mean, rows, better, "mean")
    assert found.difference == pytest.approx(better["value"].mean() - worse.mean()) and 0 < found.low < found.high
    assert found.p == mirrored.p == pytest.approx(2 / 1001)
    assert (mirrored.difference, mirrored.low, mirrored.high) == pytest.approx((-found[0], -found[2], -found[1]))


def test_pairs_show_what_unpaired_intervals_hide():
    """Both intervals overlap widely, and yet one is better on nearly every sample."""
    random = np.random.default_rng(0)
    hard = random.normal(0, 10, 100)
    ours, theirs = {"value": hard + 1}, {"value": hard + random.normal(0, 1, 100)}
    low, high = bootstrap_intervals(mean, ours)["mean"]
    assert low < theirs["value"].mean() < high
    assert compare(mean, ours, theirs, "mean").p < 0.01


def test_models_that_are_equally_good_rarely_differ():
    random, differing = np.random.default_rng(2), 0
    for number in range(200):
        ours, theirs = ({"value": random.binomial(1, 0.7, 100)} for _ in range(2))
        found = compare(mean, ours, theirs, "mean", draws=200, seed=number)
        differing += found.p <= 0.05
        assert (found.p > 0.06) <= (found.low <= 0 <= found.high)
    assert differing / 200 <= 0.09


@pytest.mark.parametrize(
    ("theirs", "metric", "message"),
    [
        ({"value": np.ones(3)}, "mean", "2 rows and 3 rows cannot be paired"),
        ({"value": np.ones(2)}, "f1", "metric=f1: choose mean"),
    ],
)
def test_what_cannot_be_compared_is_refused(theirs, metric, message):
    with pytest.raises(ValueError, match=message):
        compare(mean, {"value": np.ones(2)}, theirs, metric)


def test_without_rows_there_is_no_interval():
    with pytest.raises(ValueError, match="no row to draw from"):
        bootstrap_intervals(mean, {"value": np.array([])})
