from itertools import chain, pairwise

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from variformer.data.order import BatchPart, EvaluationOrder, TrainingOrder, chosen_indices


def batches(order):
    return list(order)


@given(size=st.integers(1, 60), batch=st.integers(1, 12), steps=st.integers(1, 30), seed=st.integers(0, 99))
def test_each_epoch_shows_every_sample_once(size, batch, steps, seed):
    order = TrainingOrder(size, seed=seed, batch=batch, steps=steps, part=BatchPart(batch))
    shown = list(chain.from_iterable(order))
    assert len(shown) == batch * steps
    for epoch in range(batch * steps // size):
        assert sorted(i for e, i in shown if e == epoch) == list(range(size))


@given(
    size=st.integers(1, 60),
    micro=st.integers(1, 4),
    accumulate=st.integers(1, 3),
    world=st.integers(1, 4),
    steps=st.integers(1, 10),
)
def test_devices_together_see_what_one_would(size, micro, accumulate, world, steps):
    batch = micro * accumulate * world
    one = batches(TrainingOrder(size, seed=1, batch=batch, steps=steps, part=BatchPart(batch)))
    ranks = [
        batches(TrainingOrder(size, seed=1, batch=batch, steps=steps, part=BatchPart(micro, rank, world)))
        for rank in range(world)
    ]
    for step in range(steps):
        parts = [chain.from_iterable(rank[step * accumulate : (step + 1) * accumulate]) for rank in ranks]
        assert sorted(chain.from_iterable(parts)) == sorted(one[step])


@given(size=st.integers(1, 50), batch=st.integers(1, 8), steps=st.integers(1, 20), done=st.integers(0, 20))
def test_a_resumed_order_is_the_tail_of_the_whole(size, batch, steps, done):
    assume(done <= steps)
    whole = TrainingOrder(size, seed=3, batch=batch, steps=steps, part=BatchPart(batch))
    rest = TrainingOrder(size, seed=3, batch=batch, steps=steps, part=BatchPart(batch), start=done * batch)
    assert batches(rest) == batches(whole)[done:]
    assert len(rest) == len(whole) == steps


def test_seeds_and_epochs_differ():
    one = batches(TrainingOrder(50, seed=0, batch=50, steps=2, part=BatchPart(50)))
    two = batches(TrainingOrder(50, seed=1, batch=50, steps=1, part=BatchPart(50)))
    assert [i for _, i in one[0]] != [i for _, i in one[1]]
    assert one[0] != two[0]


def test_a_batch_that_does_not_divide_is_refused():
    with pytest.raises(ValueError, match="global_batch=10 is not a multiple of micro_batch=4"):
        TrainingOrder(50, seed=0, batch=10, steps=1, part=BatchPart(4))


@given(size=st.integers(1, 60), micro=st.integers(1, 9), world=st.integers(1, 4))
def test_evaluation_counts_every_sample_once(size, micro, world):
    chosen = range(3, 3 + 2 * size, 2)
    orders = [EvaluationOrder(chosen, BatchPart(micro, rank, world)) for rank in range(world)]
    seen = sorted(chain.from_iterable(chain.from_iterable(orders)))
    assert [each for each in seen if each[0] == 0] == [(0, index) for index in chosen]
    assert all(len(order) == len(batches(order)) for order in orders)
    assert len({len(order) for order in orders}) == 1  # else a sharded model waits for a process that has finished
    assert {each for each in seen if each[0] != 0} <= {(1, 3)}


def test_a_larger_choice_contains_the_smaller():
    chosen = [set(chosen_indices(1000, count)) for count in (1, 10, 100, 999)]
    assert [len(each) for each in chosen] == [1, 10, 100, 999]
    assert all(few < many for few, many in pairwise(chosen))
    assert all(list(chosen_indices(1000, count)) == list(range(1000)) for count in (1000, 5000, None))


def test_a_draw_takes_from_the_whole_split():
    """Images of a folder lie class by class: a stretch of them would be one class alone."""
    parts = np.bincount(np.array(chosen_indices(10_000, 500)) // 1000, minlength=10)
    assert parts.min() > 30 and parts.max() < 75
