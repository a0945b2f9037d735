import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from variformer.models import Bert
from variformer.objectives.masked_tokens import MaskedTokens
from variformer.objectives.masked_tokens_and_pairs import MaskedTokensAndPairs
from variformer.randomness import sample_key

LENGTH = 64


def keys(count, seed=0, epoch=0):
    return np.array([sample_key(seed, epoch, index) for index in range(count)], dtype=np.uint64)


def windows(count, length=LENGTH - 2, seed=0, real=None):
    tokens = np.random.default_rng(seed).integers(5, 900, (count, length))
    tokens[:, real if real is not None else length :] = -1
    return [{"tokens": row} for row in tokens]


def chosen_of(batch, shape):
    chosen = np.zeros(shape, dtype=bool).ravel()
    chosen[batch["predict"][batch["targets"] >= 0]] = True
    return chosen.reshape(shape)


@pytest.mark.parametrize("fixed_count", [True, False])
@pytest.mark.parametrize("rate", [0.15, 0.4])
def test_rates_are_those_of_the_paper(vocabulary, fixed_count, rate):
    count = 400
    objective = MaskedTokens(vocabulary, LENGTH, rate=rate, fixed_count=fixed_count)
    original = objective.assemble(windows(count))["tokens"]
    batch = objective.collate(windows(count), keys(count), True)
    tokens, chosen = batch["tokens"].numpy(), chosen_of(batch, (count, LENGTH))
    candidates = count * (LENGTH - 2)

    def within(observed, expected, trials):
        return abs(observed - expected) < 4 * (expected * (1 - expected) / trials) ** 0.5 + 1 / LENGTH

    assert within(chosen.sum() / candidates, rate, candidates)
    hidden = chosen & (tokens == vocabulary.mask)
    changed = chosen & ~hidden & (tokens != original)
    assert within(hidden.sum() / chosen.sum(), 0.8, chosen.sum())
    assert within(changed.sum() / chosen.sum(), 0.1 * (1 - 1 / 895), chosen.sum())
    np.testing.assert_array_equal(tokens[~chosen], original[~chosen])


@given(
    seed=st.integers(0, 10**6),
    real=st.integers(1, LENGTH - 2),
    whole=st.booleans(),
    fixed=st.booleans(),
    rate=st.floats(0.02, 0.9),
)
def test_invariants(vocabulary, seed, real, whole, fixed, rate):
    objective = MaskedTokens(vocabulary, LENGTH, rate=rate, whole_words=whole, fixed_count=fixed)
    samples = windows(4, seed=seed, real=real)
    original = objective.assemble(samples)["tokens"]
    batch = objective.collate(samples, keys(4, seed), True)
    tokens, chosen = batch["tokens"].numpy(), chosen_of(batch, original.shape)
    targets = batch["targets"][batch["targets"] >= 0].numpy()
    # Targets are the original tokens, never special; what changed was chosen; replacements are ordinary or the mask.
    np.testing.assert_array_equal(np.sort(targets), np.sort(original[chosen]))
    assert not vocabulary.special[original[chosen]].any()
    assert not (tokens != original)[~chosen].any()
    replaced = tokens[tokens != original]
    assert not vocabulary.special[replaced[replaced != vocabulary.mask]].any()
    assert batch["count"] == 4 * (real + 2)
    if fixed:
        budget = max(1, np.rint(real * rate))
        assert (chosen.sum(1) <= budget).all()
        assert whole or (chosen.sum(1) == budget).all()
        assert len(batch["predict"]) == 4 * max(1, round(rate * LENGTH))
    if whole:
        for row in range(4):
            words = np.cumsum(~vocabulary.continues_word[original[row]])
            for word in set(words[chosen[row]]):
                pieces = (words == word) & ~vocabulary.special[original[row]]
                assert chosen[row][pieces].all()


def test_masks_are_fresh_each_epoch_and_the_same_for_the_same_key(vocabulary):
    objective = MaskedTokens(vocabulary, LENGTH)
    first, again = (objective.collate(windows(8), keys(8, epoch=3), True) for _ in range(2))
    later = objective.collate(windows(8), keys(8, epoch=4), True)
    assert torch.equal(first["tokens"], again["tokens"])
    assert torch.equal(first["predict"], again["predict"])
    assert not torch.equal(first["predict"], later["predict"])


def test_a_sample_is_masked_alike_in_any_batch(vocabulary):
    objective = MaskedTokens(vocabulary, LENGTH)
    together = objective.collate(windows(8), keys(8), True)["tokens"]
    alone = objective.collate(windows(8)[5:6], keys(8)[5:6], True)["tokens"]
    assert torch.equal(together[5:6], alone)


def test_pairs_are_laid_out_as_in_the_paper(vocabulary):
    objective = MaskedTokensAndPairs(vocabulary, 12)
    samples = [
        {"first": np.array([10, 11]), "second": np.array([20, 21, 22]), "is_next": 1},
        {"first": np.array([30]), "second": np.array([40]), "is_next": 0},
    ]
    arrays = objective.assemble(samples)
    assert arrays["tokens"].tolist() == [
        [2, 10, 11, 1, 20, 21, 22, 1, 0, 0, 0, 0],
        [2, 30, 1, 40, 1, 0, 0, 0, 0, 0, 0, 0],
    ]
    assert arrays["segments"].tolist() == [
        [0, 0, 0, 0, 1, 1, 1, 1, 0, 0, 0, 0],
        [0, 0, 0, 1, 1, 0, 0, 0, 0, 0, 0, 0],
    ]
    assert arrays["pair"].tolist() == [0, 1]


def test_both_losses_and_accuracies_equal_a_naive_computation(vocabulary):
    torch.manual_seed(0)
    model = Bert(vocab_size=1000, width=16, depth=1, heads=2, hidden=32, max_length=32, dropout=0.0).eval()
    objective = MaskedTokensAndPairs(vocabulary, 32)
    random = np.random.default_rng(0)
    samples = [
        {"first": random.integers(5, 900, 9), "second": random.integers(5, 900, 5 + n), "is_next": n % 2}
        for n in range(6)
    ]
    batch = objective.collate(samples, keys(6), True)
    scores = objective(model, batch)
    full = model(batch["tokens"], mask=batch["mask"], segments=batch["segments"])
    log = full.tokens.log_softmax(-1).flatten(0, 1)
    places = [(p, t) for p, t in zip(batch["predict"].tolist(), batch["targets"].tolist(), strict=True) if t >= 0]
    masked = -sum(log[p, t] for p, t in places) / len(places)
    pair = -full.pair.log_softmax(-1)[torch.arange(6), batch["pair"]].mean()
    torch.testing.assert_close(scores.loss, masked + pair)
    means = {name: (ratio.total / ratio.count).item() for name, ratio in scores.ratios.items()}
    assert set(means) == {"masked_loss", "masked_accuracy", "pair_loss", "pair_accuracy"}
    assert objective.derive(means)["loss"] == pytest.approx((masked + pair).item())
    hits = sum(log[p].argmax().item() == t for p, t in places) / len(places)
    assert means["masked_accuracy"] == pytest.approx(hits)


def test_a_tokenizer_without_a_mask_token_is_refused(vocabulary):
    from types import SimpleNamespace

    without = SimpleNamespace(**{**vars(vocabulary), "mask": None})
    with pytest.raises(ValueError, match="needs a tokenizer with a `mask` token"):
        MaskedTokens(without, LENGTH)


@pytest.mark.parametrize("options", [{"rate": 0.0}, {"rate": 1.0}, {"masked": 0.8, "replaced": 0.3}])
def test_impossible_shares_are_refused(vocabulary, options):
    with pytest.raises(ValueError, match="rate"):
        MaskedTokens(vocabulary, LENGTH, **options)
