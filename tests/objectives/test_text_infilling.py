import math
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from variformer.data import Corpus
from variformer.models import Bart
from variformer.objectives.text_infilling import (
    MASK,
    PADDING,
    TextInfilling,
    in_random_order,
    infill,
    poisson,
    shuffle_sentences,
    span_sizes,
)
from variformer.randomness import sample_key, uniform


def keys(count, seed=0, epoch=0):
    return np.array([sample_key(seed, epoch, index) for index in range(count)], dtype=np.uint64)


def rows(vocabulary, length, seed=0, count=4):
    """Samples of a corpus whose tokens are all different: documents of four sentences of 1 to 9 tokens."""
    lengths = np.random.default_rng(seed).integers(1, 10, 120)
    sentences = np.cumsum([0, *lengths])
    tokens = 5 + np.arange(sentences[-1], dtype=np.uint16) % 895
    corpus = Corpus(tokens, sentences[::4], sentences, vocabulary)
    view = TextInfilling(vocabulary, length).view(corpus)
    return [view.sample(index % len(view)) for index in range(count)]


options = {
    "length": st.integers(4, 90),
    "rate": st.floats(0.02, 0.95),
    "mean_span": st.floats(0.2, 8),
    "permute": st.booleans(),
    "seed": st.integers(0, 10**6),
}


@given(**options)
def test_invariants(vocabulary, length, rate, mean_span, permute, seed):
    objective = TextInfilling(vocabulary, length, rate=rate, mean_span=mean_span, permute_sentences=permute)
    samples = rows(vocabulary, length, seed)
    batch = objective.collate(samples, keys(4, seed), True)
    assert batch["source"].shape == batch["inputs"].shape == batch["targets"].shape == (4, length)
    for row, sample in enumerate(samples):
        source, targets, hidden = (batch[name][row].numpy() for name in ("source", "targets", "hidden"))
        text = sample["tokens"][sample["tokens"] >= 0]
        # The target is the whole text between its ends; the decoder reads it one step later, behind another end.
        assert targets.tolist() == [2, *text, 1] + [-100] * (length - len(text) - 2)
        assert batch["inputs"][row].tolist() == [1, 2, *text, *[1, *[0] * length][: length - len(text) - 2]]
        # The source holds what is not hidden, and masks; it is never longer than the text.
        inner = source[1 : np.flatnonzero(source == vocabulary.end)[-1]]
        assert source[0] == vocabulary.start and (source[len(inner) + 2 :] == vocabulary.pad).all()
        assert (inner == vocabulary.mask).any() and len(inner) <= len(text)
        shown = inner[inner != vocabulary.mask]
        assert sorted(shown) == sorted(targets[(targets >= 0) & ~hidden][1:-1])
        assert permute or shown.tolist() == targets[(targets >= 0) & ~hidden][1:-1].tolist()
        assert hidden.sum() == max(1, np.rint(rate * len(text)))
        assert not hidden[targets < 0].any() and not hidden[0]
    seen = batch["source"] != vocabulary.pad
    assert seen.all() if batch["source_mask"] is None else torch.equal(batch["source_mask"], seen)
    assert batch["count"] == seen.sum() + (batch["targets"] >= 0).sum()


@given(seed=st.integers(0, 10**6), length=st.integers(6, 90))
def test_the_text_can_be_restored_from_the_source_and_the_spans(vocabulary, seed, length):
    """Without permutation: masks stand exactly where something is missing, or where nothing is (insertions)."""
    lengths = np.random.default_rng(seed).integers(1, length, 6)
    places = infill(lengths, length, 0.3, 3.0, keys(6, seed))
    for row, real in zip(places, lengths, strict=True):
        used = row[row != PADDING]
        assert (row[len(used) :] == PADDING).all()
        kept = used[used != MASK]
        assert (np.diff(kept) > 0).all() and kept.size + max(1, np.rint(0.3 * real)) == real
        gaps = np.diff([-1, *kept, real]) - 1  # how many tokens are missing before each one kept, and at the end
        masks = np.bincount(np.cumsum(used != MASK)[used == MASK], minlength=len(gaps))
        assert ((gaps == 0) | (masks > 0)).all()


def test_the_rate_is_that_of_the_paper_and_no_place_is_favoured():
    places = infill(np.full(3000, 100), 100, 0.3, 3.0, keys(3000))
    shown = np.zeros((3000, 101), dtype=bool)
    np.put_along_axis(shown, np.where(places >= 0, places, 100), True, axis=1)
    assert (shown[:, :100].sum(1) == 70).all()
    assert abs(shown[:, 5:95].mean(0) - 0.7).max() < 0.035  # a standard error is 0.008; no span reaches past an end
    assert shown[:, 5:95].mean(0).std() < 0.012


def test_spans_follow_poissons_law():
    sizes = span_sizes(np.full(2000, 300), 3.0, keys(2000))
    assert (sizes.clip(min=0).sum(1) == 300).all()
    counts = (sizes >= 0).sum(1)
    assert abs(counts.mean() - 300 / 3) < 1.0  # 100 of three tokens on average, and the last is cut
    whole = np.concatenate([row[: count - 1] for row, count in zip(sizes, counts, strict=True)])
    for size in range(12):
        expected = math.exp(-3) * 3**size / math.factorial(size)
        assert abs((whole == size).mean() - expected) < 0.003
    assert ((sizes >= 0).cumprod(1).sum(1) == counts).all()


def test_the_place_of_a_mask_says_nothing_of_its_span():
    """The last span drawn is cut to the budget; it may stand anywhere."""
    sizes = in_random_order(span_sizes(np.full(20_000, 38), 3.0, keys(20_000)), keys(20_000))
    last = sizes[np.arange(len(sizes)), (sizes >= 0).sum(1) - 1]
    for ends in (sizes[:, 0], last):
        assert abs(ends.mean() - sizes[sizes >= 0].mean()) < 0.1
        assert abs((ends == 0).mean() - (sizes[sizes >= 0] == 0).mean()) < 0.01


@given(budget=st.integers(1, 60), mean=st.floats(0.05, 10), seed=st.integers(0, 10**6))
def test_there_are_no_more_spans_than_hidden_tokens(budget, mean, seed):
    sizes = span_sizes(np.array([budget, 1]), mean, keys(2, seed))
    assert sizes.clip(min=0).sum(1).tolist() == [budget, 1]
    assert ((sizes >= 0).sum(1) <= [budget, 1]).all()


@pytest.mark.parametrize("mean", [0.5, 3.0, 20.0])
def test_poisson(mean):
    numbers = poisson(uniform(keys(1), 200_000)[0], mean)
    assert abs(numbers.mean() - mean) < 4 * (mean / 200_000) ** 0.5
    assert abs(numbers.var() / mean - 1) < 0.02
    assert poisson(np.array([0.0, math.exp(-mean) - 1e-9, math.exp(-mean) + 1e-9]), mean).tolist() == [0, 0, 1]


@given(seed=st.integers(0, 10**6), length=st.integers(3, 90))
def test_permutation_keeps_sentences_and_documents_whole(vocabulary, seed, length):
    samples = rows(vocabulary, length, seed)
    tokens, document, sentence = (np.stack([s[name] for s in samples]) for name in ("tokens", "document", "sentence"))
    order = shuffle_sentences(document, sentence, keys(4, seed))
    for row in range(4):
        assert sorted(order[row]) == list(range(length - 2))
        np.testing.assert_array_equal(document[row][order[row]], document[row])  # documents, padding stay
        np.testing.assert_array_equal((sentence[row] == -1)[order[row]], sentence[row] == -1)  # separators stay
        moved, original = sentence[row][order[row]], sentence[row]
        runs = moved[np.flatnonzero(np.diff(moved, prepend=-2))]
        assert sorted(runs) == sorted(original[np.flatnonzero(np.diff(original, prepend=-2))])  # none is torn
        for number in set(original.tolist()) - {-1}:
            np.testing.assert_array_equal(tokens[row][order[row]][moved == number], tokens[row][original == number])


def test_every_order_of_the_sentences_is_equally_likely():
    document, sentence = np.zeros((6000, 5), dtype=int), np.tile([7, 7, 8, 9, 9], (6000, 1))
    order = shuffle_sentences(document, sentence, keys(6000))
    ways, counts = np.unique(np.take_along_axis(sentence, order, 1), axis=0, return_counts=True)
    assert len(ways) == 6
    assert abs(counts / 6000 - 1 / 6).max() < 0.02


def test_noise_is_a_function_of_the_key_alone(vocabulary):
    objective, samples = TextInfilling(vocabulary, 64), rows(vocabulary, 64, count=8)
    first, again = (objective.collate(samples, keys(8, epoch=3), True) for _ in range(2))
    later = objective.collate(samples, keys(8, epoch=4), True)
    alone = objective.collate(samples[5:6], keys(8, epoch=3)[5:6], True)
    assert torch.equal(first["source"], again["source"])
    assert torch.equal(first["source"][5:6], alone["source"])
    assert not torch.equal(first["source"], later["source"]) and torch.equal(first["targets"], later["targets"])


def test_losses_and_accuracies_equal_a_naive_computation(vocabulary):
    torch.manual_seed(0)
    model = Bart(vocab_size=1000, width=16, depth=1, heads=2, hidden=32, max_length=64, dropout=0.0).eval()
    objective = TextInfilling(vocabulary, 64)
    batch = objective.collate(rows(vocabulary, 64), keys(4), True)
    scores = objective(model, batch)
    log = model(batch["source"], batch["inputs"], batch["source_mask"]).log_softmax(-1)
    every = [(row, column) for row, column in torch.argwhere(batch["targets"] >= 0).tolist()]
    some = [(row, column) for row, column in torch.argwhere(batch["hidden"]).tolist()]
    for places, prefix in (every, ""), (some, "hidden_"):
        nats = [-log[row, column, batch["targets"][row, column]].item() for row, column in places]
        hits = [log[row, column].argmax() == batch["targets"][row, column] for row, column in places]
        assert scores.ratios[f"{prefix}loss"].count == scores.ratios[f"{prefix}accuracy"].count == len(places)
        assert scores.ratios[f"{prefix}loss"].total.item() == pytest.approx(sum(nats), rel=1e-5)
        assert scores.ratios[f"{prefix}accuracy"].total.item() == sum(hits)
    assert scores.loss.item() == pytest.approx(scores.ratios["loss"].total.item() / len(every))
    assert scores.loss.requires_grad


@pytest.mark.parametrize("wrong", [{"rate": 0.0}, {"rate": 1.0}, {"mean_span": 0.0}])
def test_impossible_numbers_are_refused(vocabulary, wrong):
    with pytest.raises(ValueError, match=r"rate.*mean_span"):
        TextInfilling(vocabulary, 64, **wrong)


@pytest.mark.parametrize("name", ["mask", "start", "end", "pad"])
def test_a_tokenizer_without_the_special_tokens_is_refused(vocabulary, name):
    with pytest.raises(ValueError, match=f"needs a tokenizer with a `{name}` token"):
        TextInfilling(SimpleNamespace(**{**vars(vocabulary), name: None}), 64)
