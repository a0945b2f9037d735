"""Correlations equal their formulas, and scipy's."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from variformer.metrics.regression import mean_absolute_error, pearson, spearman

pytestmark = pytest.mark.filterwarnings("error")
PAIRS = st.lists(st.tuples(*[st.integers(-50, 50)] * 2), min_size=1, max_size=30)


def by_formula(values: np.ndarray, guesses: np.ndarray) -> float:
    a, b = values - values.mean(), guesses - guesses.mean()
    spread = np.sqrt((a * a).sum() * (b * b).sum())
    return (a * b).sum() / spread if spread > 1e-12 else 0.0


def ranks(values: np.ndarray) -> np.ndarray:
    """From 1; those that are tied share their mean."""
    return np.array([(values < each).sum() + ((values == each).sum() + 1) / 2 for each in values])


@given(PAIRS)
def test_correlations_equal_their_formulas(pairs):
    values, guesses = np.array(pairs, dtype=np.float32).T
    assert pearson(values, guesses) == pytest.approx(by_formula(values, guesses), abs=1e-6)
    assert spearman(values, guesses) == pytest.approx(by_formula(ranks(values), ranks(guesses)), abs=1e-12)
    assert mean_absolute_error(values, guesses) == pytest.approx(np.mean([abs(a - b) for a, b in pairs]))
    if len({*values}) > 1 and len({*guesses}) > 1:
        assert spearman(values, guesses) == pytest.approx(stats.spearmanr(values, guesses).statistic, abs=1e-12)


def test_a_constant_has_no_correlation():
    assert pearson(np.arange(4), np.ones(4)) == spearman(np.ones(4), np.arange(4)) == 0.0


def test_no_samples_have_no_metric():
    none = np.array([])
    assert np.isnan([pearson(none, none), spearman(none, none), mean_absolute_error(none, none)]).all()
