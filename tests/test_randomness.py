import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from variformer.randomness import integers, sample_key, uniform

KEYS = np.array([sample_key(0, 0, index) for index in range(2000)], dtype=np.uint64)


def test_numbers_are_uniform():
    assert stats.kstest(uniform(KEYS, 50).ravel(), "uniform").pvalue > 0.01


@pytest.mark.parametrize("one, other", [((0, 1), (0, 2)), ((0, 1), (1, 1))])
def test_streams_and_positions_are_unrelated(one, other):
    a, b = (uniform(KEYS, 3, stream)[:, position] for stream, position in (one, other))
    assert abs(np.corrcoef(a, b)[0, 1]) < 0.07  # three standard errors


def test_a_number_depends_on_its_own_key_alone():
    np.testing.assert_array_equal(uniform(KEYS, 8)[5:6], uniform(KEYS[5:6], 8))
    np.testing.assert_array_equal(uniform(KEYS, 8)[:, :3], uniform(KEYS, 3))


@given(st.integers(0, 2**31), st.integers(0, 1000), st.integers(0, 10**9))
def test_every_part_of_a_key_matters(seed, epoch, index):
    keys = {
        sample_key(*parts)
        for parts in [
            (seed, epoch, index),
            (seed + 1, epoch, index),
            (seed, epoch + 1, index),
            (seed, epoch, index + 1),
        ]
    }
    assert len(keys) == 4
    assert sample_key(seed, epoch, index) in keys


def test_integers_cover_their_range_evenly():
    counts = np.bincount(integers(KEYS, 50, 10).ravel(), minlength=11)
    assert counts[10] == 0
    assert stats.chisquare(counts[:10]).pvalue > 0.01
