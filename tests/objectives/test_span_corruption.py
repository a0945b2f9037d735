import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from variformer.objectives.span_corruption import SpanCorruption, random_parts, raw_length, span_mask
from variformer.randomness import sample_key


def keys(count, seed=0):
    return np.array([sample_key(seed, 0, index) for index in range(count)], dtype=np.uint64)


def windows(objective, count, real=None, seed=0):
    tokens = np.random.default_rng(seed).integers(5, 900, (count, objective.raw_length))
    tokens[:, real if real is not None else objective.raw_length :] = -1
    return [{"tokens": row} for row in tokens]


def undo(source, target, vocabulary):
    """The original text of one corrupted pair, token by token."""
    spans, sentinel = {}, None
    for token in target:
        if token in vocabulary.sentinels:
            sentinel = token
            spans[sentinel] = []
        elif token not in (vocabulary.end, -100):
            spans[sentinel].append(token)
    text = []
    for token in source:
        if token not in (vocabulary.end, vocabulary.pad):
            text += spans.get(token, [token])
    return text


def test_lengths_are_those_of_the_paper(vocabulary):
    objective = SpanCorruption(vocabulary, 512)
    assert (objective.raw_length, objective.target_length) == (568, 114)


@given(
    length=st.integers(6, 300),
    rate=st.floats(0.05, 0.5),
    mean=st.floats(1, 6),
    seed=st.integers(0, 10**6),
    share=st.floats(0.1, 1),
)
def test_undoing_gives_the_original(vocabulary, length, rate, mean, seed, share):
    try:
        objective = SpanCorruption(vocabulary, length, rate=rate, mean_span=mean)
    except ValueError as error:
        assert "sentinels" in str(error)
        return
    real = max(2, int(share * objective.raw_length))
    samples = windows(objective, 3, real, seed)
    batch = objective.collate(samples, keys(3, seed), True)
    for row, sample in enumerate(samples):
        source, target = batch["source"][row].tolist(), batch["targets"][row].tolist()
        assert undo(source, target, vocabulary) == sample["tokens"][:real].tolist()
        # Sentinels count down from the first, in the source and in the target alike, and each text is ended once.
        used = [token for token in source if token in vocabulary.sentinels]
        assert used == vocabulary.sentinels[: len(used)].tolist()
        assert used == [token for token in target if token in vocabulary.sentinels]
        assert source.count(vocabulary.end) == target.count(vocabulary.end) == 1
    if real == objective.raw_length:  # full windows fill their sources exactly, or there is no length that would
        assert batch["source_mask"] is None or raw_length(length + 1, rate, mean) > objective.raw_length
    assert batch["inputs"][:, 0].eq(vocabulary.pad).all()
    shifted = batch["targets"][:, :-1].clamp(min=0)
    assert torch.equal(batch["inputs"][:, 1:], torch.where(batch["targets"][:, :-1] < 0, vocabulary.pad, shifted))


def test_the_hidden_tokens_are_not_in_the_source(vocabulary):
    objective = SpanCorruption(vocabulary, 64)
    distinct = [{"tokens": np.arange(100, 100 + objective.raw_length)} for _ in range(16)]
    batch = objective.collate(distinct, keys(16), True)
    for source, target in zip(batch["source"].tolist(), batch["targets"].tolist(), strict=True):
        assert not (set(source) & set(target)) - set(vocabulary.sentinels) - {vocabulary.end}


def test_rates_and_span_lengths(vocabulary):
    mask = span_mask(np.full(500, 568), 568, 0.15, 3.0, keys(500))
    assert (mask.sum(1) == 85).all()
    starts = mask & ~np.pad(mask, ((0, 0), (1, 0)))[:, :-1]
    assert (starts.sum(1) == 28).all()
    assert abs(mask[:, 1:-1].mean() - 0.15) < 0.002
    assert mask.mean(0)[20:-20].std() < 0.03  # no place is favoured


@given(total=st.integers(1, 40), parts=st.integers(1, 40), seed=st.integers(0, 10**6))
def test_parts_are_positive_and_sum_up(total, parts, seed):
    parts = min(parts, total)
    sizes = random_parts(np.array([total]), np.array([parts]), 40, keys(1, seed), stream=1)
    assert sizes.shape == (1, parts)
    assert sizes.min() >= 1
    assert sizes.sum() == total


def test_every_way_to_part_is_equally_likely():
    sizes = random_parts(np.full(20000, 5), np.full(20000, 3), 8, keys(20000), stream=1)
    ways, counts = np.unique(sizes, axis=0, return_counts=True)
    assert len(ways) == 6  # 4 choose 2
    assert abs(counts / 20000 - 1 / 6).max() < 0.012


def test_too_few_sentinels_are_refused(vocabulary):
    with pytest.raises(ValueError, match="the tokenizer has 100 sentinels"):
        SpanCorruption(vocabulary, 2048)


def test_loss_ignores_padding(vocabulary):
    class Uniform(torch.nn.Module):
        def forward(self, source, target, source_mask=None):
            return torch.zeros(*target.shape, 1000)

    objective = SpanCorruption(vocabulary, 64)
    batch = objective.collate(windows(objective, 4, real=20), keys(4), True)
    scores = objective(Uniform(), batch)
    assert scores.loss.item() == pytest.approx(np.log(1000))
    assert scores.ratios["loss"].count.item() == int((batch["targets"] >= 0).sum())
