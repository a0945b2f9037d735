"""The order within a pass: a permutation or an exact quota, and in buckets little padding."""

from collections import Counter
from itertools import chain

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from variformer.data.order import BatchPart, TrainingOrder, longest_first
from variformer.data.shuffles import Bucketed, Mixed, Plain, mixing_shares, quotas

LENGTHS = st.lists(st.integers(1, 50), min_size=1, max_size=80)


def bucketed(lengths, batch, window, seed=3):
    return Bucketed(Plain(len(lengths), seed), np.array(lengths), batch, window)


@pytest.mark.parametrize("seed, epoch", [(0, 0), (7, 3)])
def test_plain_is_the_order_of_earlier_runs(seed, epoch):
    order = Plain(50, seed).order(epoch)
    np.testing.assert_array_equal(order.indices, np.random.default_rng((seed, epoch)).permutation(50))
    assert set(order.epochs) == {epoch}


@given(lengths=LENGTHS, batch=st.integers(1, 12), window=st.integers(1, 6), number=st.integers(0, 9))
def test_a_bucketed_pass_is_a_permutation(lengths, batch, window, number):
    order = bucketed(lengths, batch, window).order(number)
    assert sorted(order.indices) == list(range(len(lengths))) and set(order.epochs) == {number}


@given(lengths=LENGTHS, batch=st.integers(1, 12), window=st.integers(1, 6), steps=st.integers(1, 12), data=st.data())
def test_any_start_gives_the_same_tail(lengths, batch, window, steps, data):
    done = data.draw(st.integers(0, steps))
    settings = {"seed": 3, "batch": batch, "steps": steps, "part": BatchPart(batch)}
    whole = TrainingOrder(len(lengths), **settings, shuffle=bucketed(lengths, batch, window))
    rest = TrainingOrder(len(lengths), **settings, shuffle=bucketed(lengths, batch, window), start=done * batch)
    assert list(rest) == list(whole)[done:]


@given(
    lengths=LENGTHS,
    micro=st.integers(1, 4),
    accumulate=st.integers(1, 3),
    world=st.integers(1, 3),
    window=st.integers(1, 4),
)
def test_devices_together_see_the_same_step(lengths, micro, accumulate, world, window):
    batch = micro * accumulate * world

    def batches(part):
        shuffle = bucketed(lengths, batch, window)
        return list(TrainingOrder(len(lengths), seed=3, batch=batch, steps=6, part=part, shuffle=shuffle))

    one = batches(BatchPart(batch))
    ranks = [batches(BatchPart(micro, rank, world)) for rank in range(world)]
    for step in range(6):
        parts = [chain.from_iterable(rank[step * accumulate : (step + 1) * accumulate]) for rank in ranks]
        assert sorted(chain.from_iterable(parts)) == sorted(one[step])


def slots(lengths, batches):
    """Places in batches that are padded to their longest sample, for each token."""
    read = [np.array([lengths[index] for _, index in batch]) for batch in batches]
    return sum(len(batch) * batch.max() for batch in read) / sum(batch.sum() for batch in read)


@pytest.mark.parametrize("size, batch", [(3000, 32), (3007, 32), (500, 64), (450, 16)])
def test_padding_falls_on_skewed_lengths(size, batch):
    lengths = np.random.default_rng(0).lognormal(3, 1, size).astype(int) + 1
    steps = 3 * size // batch
    settings = {"seed": 0, "batch": batch, "steps": steps, "part": BatchPart(batch)}
    shuffled = slots(lengths, TrainingOrder(size, **settings))
    sorted_ = slots(lengths, TrainingOrder(size, **settings, shuffle=bucketed(lengths, batch, 50)))
    assert shuffled - 1 > 2 * (sorted_ - 1) and shuffled > 1.8 * sorted_


def test_batches_stay_pure_where_passes_meet():
    """Also the batch that begins in one pass and ends in the next."""
    lengths = [1] * 50 + [40] * 53
    order = TrainingOrder(
        103, seed=0, batch=10, steps=80, part=BatchPart(10), shuffle=bucketed(lengths, batch=10, window=50)
    )
    mixed = sum(len({lengths[index] for _, index in batch}) > 1 for batch in order)
    assert mixed <= 8  # once in a pass the short ones do not fill a whole number of batches


def test_batches_of_a_window_come_in_a_random_order():
    lengths = np.arange(1000)
    firsts = [lengths[bucketed(lengths, 10, 50).order(number).indices[::10]] for number in range(2)]
    assert all((np.diff(first) < 0).any() for first in firsts) and (firsts[0] != firsts[1]).any()


@given(
    sizes=st.lists(st.integers(1, 30), min_size=1, max_size=4),
    weights=st.lists(st.floats(0.1, 9), min_size=4, max_size=4),
    passes=st.integers(1, 6),
)
def test_a_mixture_gives_each_part_its_quota(sizes, weights, passes):
    mixed = Mixed(sizes, weights[: len(sizes)], seed=5)
    begins = np.cumsum([0, *sizes])
    read: Counter = Counter()
    for number in range(passes):
        order = mixed.order(number)
        parts = np.searchsorted(begins, order.indices, side="right") - 1
        assert np.bincount(parts, minlength=len(sizes)).tolist() == mixed.quotas
        read.update(zip(order.epochs.tolist(), order.indices.tolist(), strict=True))
    assert set(read.values()) == {1}  # nothing comes twice in one epoch of its part
    for part, size in enumerate(sizes):
        own = [(epoch, index) for epoch, index in read if begins[part] <= index < begins[part + 1]]
        assert len(own) == passes * mixed.quotas[part]
        for epoch in range(len(own) // size):
            assert sum(each == epoch for each, _ in own) == size  # whole epochs, one after the other


@given(sizes=st.lists(st.integers(1, 30), min_size=1, max_size=4), number=st.integers(0, 3))
def test_shares_by_size_are_permutations(sizes, number):
    order = Mixed(sizes, mixing_shares(sizes), seed=1).order(number)
    assert sorted(order.indices) == list(range(sum(sizes))) and set(order.epochs) == {number}


@given(sizes=st.lists(st.integers(1, 30), min_size=2, max_size=4), number=st.integers(0, 3), batch=st.integers(1, 9))
def test_buckets_of_a_mixture_keep_its_samples(sizes, number, batch):
    inner = Mixed(sizes, [1] * len(sizes), seed=1)
    lengths = np.random.default_rng(0).integers(1, 50, sum(sizes))
    inside, outside = inner.order(number), Bucketed(inner, lengths, batch, 3).order(number)
    pairs = [Counter(zip(each.epochs.tolist(), each.indices.tolist(), strict=True)) for each in (inside, outside)]
    assert pairs[0] == pairs[1]


@given(st.lists(st.floats(0.01, 9), min_size=1, max_size=6), st.integers(0, 500))
def test_quotas_add_up(shares, places):
    found = quotas(shares, places)
    exact = np.array(shares) / sum(shares) * places
    assert sum(found) == places and (np.abs(found - exact) < 1 + 1e-9).all()


def test_shares_of_a_mixture():
    assert mixing_shares([100, 300]) == [0.25, 0.75]
    assert mixing_shares([100, 10**6], most=300) == [0.25, 0.75]
    assert mixing_shares([1, 16], temperature=4) == pytest.approx([1 / 3, 2 / 3])
    assert mixing_shares([1, 10**9], temperature=1e9) == pytest.approx([0.5, 0.5])


@given(LENGTHS)
def test_evaluation_goes_longest_first(lengths):
    order = longest_first(range(len(lengths)), np.array(lengths))
    assert sorted(order) == list(range(len(lengths)))
    assert [lengths[index] for index in order] == sorted(lengths, reverse=True)
