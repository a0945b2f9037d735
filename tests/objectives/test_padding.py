import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from variformer.objectives.padding import padded


@given(st.lists(st.lists(st.integers(0, 9), max_size=20), min_size=1, max_size=5), st.integers(1, 32))
def test_rows_are_padded_to_a_multiple(rows, multiple):
    found = padded([np.array(row, dtype=int) for row in rows], -1, multiple)
    longest = max(map(len, rows))
    assert found.shape[1] % multiple == 0 and longest <= found.shape[1] < max(longest, 1) + multiple
    assert [[token for token in row if token >= 0] for row in found.tolist()] == rows
    assert all((row[len(given) :] == -1).all() for row, given in zip(found, rows, strict=True))


def test_no_more_than_the_model_reads():
    rows = [np.arange(5), np.arange(2)]
    assert padded(rows, 0, multiple=8, most=6).shape == (2, 6)
    with pytest.raises(ValueError, match="a sequence of 5 tokens is longer than 4"):
        padded(rows, 0, most=4)
