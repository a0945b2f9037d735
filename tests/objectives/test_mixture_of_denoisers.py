import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from variformer.objectives.mixture_of_denoisers import MODES, MixtureOfDenoisers
from variformer.objectives.span_corruption import SpanCorruption
from variformer.randomness import sample_key

from .test_span_corruption import undo, windows

REGULAR, SEQUENTIAL, EXTREME = range(3)


def keys(count, seed=0):
    return np.array([sample_key(seed, 0, index) for index in range(count)], dtype=np.uint64)


def test_denoisers_are_those_of_the_paper_and_equally_frequent(vocabulary):
    objective = MixtureOfDenoisers(vocabulary, 512)
    assert [(list(MODES)[noise.mode], noise.rate, noise.mean_span) for noise in objective.noises] == [
        *(("R", 0.15, 3), ("R", 0.15, 8), ("S", 0.25, np.inf)),
        *(("X", 0.5, 3), ("X", 0.5, 8), ("X", 0.15, 64), ("X", 0.5, 64)),
    ]
    counts = np.bincount(objective.noise_of(keys(7000)), minlength=7)
    assert abs(counts / 7000 - 1 / 7).max() < 0.015


def test_each_denoiser_hides_its_share_in_spans_of_its_length(vocabulary):
    objective = MixtureOfDenoisers(vocabulary, 512)
    lengths = np.full(700, objective.raw_length)
    hidden, chosen = objective.hide(lengths, keys(700)), objective.noise_of(keys(700))
    for number, (_, rate, span) in enumerate(objective.noises):
        mask = hidden[chosen == number]
        starts = (mask & ~np.pad(mask, ((0, 0), (1, 0)))[:, :-1]).sum(1)
        assert mask.mean() == pytest.approx(rate, abs=1 / objective.raw_length)
        assert (starts == max(1, np.rint(np.rint(rate * objective.raw_length) / span))).all()


def test_the_sequential_denoiser_hides_the_end_alone(vocabulary):
    objective = MixtureOfDenoisers(vocabulary, 64, denoisers=[("S", 0.25, None)])
    samples = windows(objective, 5)
    batch = objective.collate(samples, keys(5), True)
    kept = objective.raw_length - round(0.25 * objective.raw_length)
    first = vocabulary.sentinels[0]
    for row, sample in enumerate(samples):
        text = sample["tokens"].tolist()
        assert batch["source"][row, 1 : kept + 3].tolist() == [*text[:kept], first, vocabulary.end]
        assert batch["targets"][row].tolist() == [first, *text[kept:], vocabulary.end]


@given(length=st.integers(24, 200), seed=st.integers(0, 10**6), share=st.floats(0.1, 1))
def test_undoing_gives_the_original(vocabulary, length, seed, share):
    objective = MixtureOfDenoisers(vocabulary, length)
    real = max(2, int(share * objective.raw_length))
    samples = windows(objective, 8, real, seed)
    batch = objective.collate(samples, keys(8, seed), True)
    modes = vocabulary.sentinels[-3:][batch["modes"].numpy()]
    for row, sample in enumerate(samples):
        mode, *source = batch["source"][row].tolist()
        assert mode == modes[row]
        assert undo(source, batch["targets"][row].tolist(), vocabulary) == sample["tokens"][:real].tolist()
        assert source.count(vocabulary.end) == batch["targets"][row].tolist().count(vocabulary.end) == 1
    shifted = batch["targets"][:, :-1].clamp(min=0)
    assert torch.equal(batch["inputs"][:, 1:], torch.where(batch["targets"][:, :-1] < 0, vocabulary.pad, shifted))


def test_the_hidden_tokens_are_not_in_the_source(vocabulary):
    objective = MixtureOfDenoisers(vocabulary, 128)
    distinct = [{"tokens": np.arange(100, 100 + objective.raw_length)} for _ in range(64)]
    batch = objective.collate(distinct, keys(64), True)
    assert len(set(batch["modes"].tolist())) == 3
    for source, target in zip(batch["source"].tolist(), batch["targets"].tolist(), strict=True):
        assert not (set(source) & set(target)) - set(vocabulary.sentinels) - {vocabulary.end}


def test_the_same_key_gives_the_same_sample_whatever_the_batch(vocabulary):
    objective = MixtureOfDenoisers(vocabulary, 64)
    samples = windows(objective, 12)
    together, some = (objective.collate(samples[s], keys(12)[s], True) for s in (slice(12), slice(3, 7)))
    other = objective.collate(samples, keys(12, seed=1), True)
    for name in ("source", "inputs", "targets", "modes"):
        assert torch.equal(together[name][3:7], some[name])
        assert not torch.equal(together[name], other[name])


def test_the_longest_source_fills_the_length(vocabulary):
    objective = MixtureOfDenoisers(vocabulary, 128)
    batch = objective.collate(windows(objective, 64), keys(64), True)
    lengths = (batch["source"] != vocabulary.pad).sum(1)
    assert lengths[batch["modes"] == REGULAR].max() == 128
    assert batch["targets"].size(1) == (batch["targets"] >= 0).sum(1).max()


def test_one_regular_denoiser_is_span_corruption_behind_a_mode(vocabulary):
    mixture = MixtureOfDenoisers(vocabulary, 65, denoisers=[("R", 0.15, 3.0)])
    plain = SpanCorruption(vocabulary, 64)
    samples = windows(plain, 6)
    ours, theirs = mixture.collate(samples, keys(6), True), plain.collate(samples, keys(6), True)
    assert torch.equal(ours["source"][:, 1:], theirs["source"])
    assert torch.equal(ours["targets"], theirs["targets"])


def test_losses_of_the_modes_are_parts_of_the_loss(vocabulary):
    class Random(torch.nn.Module):
        def forward(self, source, target, source_mask=None):
            return torch.randn(*target.shape, 1000, generator=torch.Generator().manual_seed(0))

    objective = MixtureOfDenoisers(vocabulary, 64)
    batch = objective.collate(windows(objective, 32, real=40), keys(32), True)
    ratios = objective(Random(), batch).ratios
    parts = [ratios[f"{name}_loss"] for name in MODES.values()]
    assert sum(part.total for part in parts).item() == pytest.approx(ratios["loss"].total.item(), rel=1e-5)
    assert sum(part.count for part in parts) == ratios["loss"].count == (batch["targets"] >= 0).sum()
    assert all(part.count > 0 for part in parts)


def test_what_cannot_be_is_refused(vocabulary):
    with pytest.raises(ValueError, match="the tokenizer has 97 sentinels"):
        MixtureOfDenoisers(vocabulary, 640)
    with pytest.raises(ValueError, match=r"objective\.denoisers is empty"):
        MixtureOfDenoisers(vocabulary, 64, denoisers=[])
