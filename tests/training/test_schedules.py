import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from variformer.training.schedules import Constant, Cosine, InverseSquareRoot, Linear, WarmupStableDecay

ALL = [Constant, Cosine, InverseSquareRoot, Linear, WarmupStableDecay]


@pytest.mark.parametrize("kind", ALL)
@given(total=st.integers(1, 500), warmup=st.one_of(st.integers(0, 400), st.floats(0, 0.9)), floor=st.floats(0, 0.5))
def test_rises_to_the_peak_and_never_rises_again(kind, total, warmup, floor):
    factors = [kind(warmup=warmup, floor=floor)(step, total) for step in range(total)]
    assert all(factor > 0 or floor == 0 for factor in factors)
    assert all(0 <= factor <= 1 + 1e-12 for factor in factors)
    peak = factors.index(max(factors))
    assert factors[: peak + 1] == sorted(factors[: peak + 1])
    assert factors[peak:] == sorted(factors[peak:], reverse=True)


def test_warm_up_as_a_count_and_as_a_share_are_the_same():
    assert [Cosine(warmup=50)(s, 1000) for s in range(1000)] == [Cosine(warmup=0.05)(s, 1000) for s in range(1000)]
    assert Cosine(warmup=4)(0, 100) == 0.25
    assert Cosine(warmup=4)(3, 100) == 1.0


@pytest.mark.parametrize(
    "schedule, step, expected",
    [
        (Cosine(warmup=0, floor=0.1), 500, 0.55),
        (Cosine(warmup=0, floor=0.1), 1000, 0.1),
        (Linear(warmup=0), 250, 0.75),
        (Linear(warmup=200), 600, 0.5),
        (InverseSquareRoot(warmup=100), 400, 0.5),
        (InverseSquareRoot(warmup=100), 100, 1.0),
        (WarmupStableDecay(warmup=100, decay=0.2), 799, 1.0),
        (WarmupStableDecay(warmup=100, decay=0.2), 900, 0.5),
        (WarmupStableDecay(warmup=100, decay=100), 950, 0.5),
        (Constant(), 10**6, 1.0),
    ],
)
def test_values_by_hand(schedule, step, expected):
    assert math.isclose(schedule(step, 1000), expected)
