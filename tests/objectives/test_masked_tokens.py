import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from variformer.models import Bert, DistilBert
from variformer.objectives import masking
from variformer.objectives.full_sentences import FullSentences
from variformer.objectives.masked_tokens import MaskedTokens, token_ratios
from variformer.objectives.masked_tokens_and_order import MaskedTokensAndOrder
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
    ngrams=st.integers(1, 5),
)
def test_invariants(vocabulary, seed, real, whole, fixed, rate, ngrams):
    options = {"whole_words": whole, "fixed_count": fixed, "ngrams": ngrams}
    objective = MaskedTokens(vocabulary, LENGTH, rate=rate, **options)
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


@pytest.mark.parametrize("fixed_count", [True, False])
@pytest.mark.parametrize("whole_words", [True, False])
def test_ngrams_have_the_rate_and_favour_no_place(vocabulary, fixed_count, whole_words):
    count = 1500
    objective = MaskedTokens(vocabulary, LENGTH, fixed_count=fixed_count, whole_words=whole_words, ngrams=3)
    batch = objective.collate(windows(count), keys(count), True)
    chosen = chosen_of(batch, (count, LENGTH))[:, 1:-1]
    assert abs(chosen.mean() - 0.15) < 0.006
    assert chosen.mean(0)[5:-5].std() < 0.015  # a standard error is 0.009


@pytest.fixture(scope="module")
def documentation():
    """2,000 rows of Python's documentation, (B, T), and the vocabulary of their word pieces."""
    from variformer.data import PythonDocs, TextData, WordPiece

    data = TextData(PythonDocs(), WordPiece(2048))
    view = FullSentences(data.tokenizer, 128).view(data.split("train"))
    rows = [view.sample(index) for index in range(2000)]
    return FullSentences(data.tokenizer, 128).assemble(rows)["tokens"], data.tokenizer


def shares_by_length(chosen, candidates, words):
    """Of words of 1, 2, 3 and more tokens: the share that is chosen, relative to that of all tokens."""
    numbers = np.where(candidates, words + np.arange(len(words))[:, None] * words.shape[1], -1)
    _, place, sizes = np.unique(numbers, return_index=True, return_counts=True)
    sizes, hits = sizes[1:], chosen.ravel()[place[1:]]  # without special tokens
    return np.array([hits[sizes.clip(max=4) == size].mean() for size in (1, 2, 3, 4)]) / chosen[candidates].mean()


@pytest.mark.parametrize("rate", [0.15, 0.3])
@pytest.mark.parametrize("ngrams", [1, 3])
def test_whole_words_of_real_text_have_the_rate(documentation, rate, ngrams):
    """To the token in each row, and so that words of all lengths are hidden as often."""
    tokens, vocabulary = documentation
    objective = MaskedTokens(vocabulary, 128, rate=rate, whole_words=True, ngrams=ngrams)
    chosen = objective.choose(tokens, keys(len(tokens)))
    candidates = ~vocabulary.special[tokens]
    words = np.cumsum(~vocabulary.continues_word[tokens], axis=1) - 1
    left = np.rint(candidates.sum(1) * rate) - chosen.sum(1)
    assert left.min() >= 0 and left.max() <= 1
    assert not (chosen & ~candidates).any()
    np.testing.assert_allclose(shares_by_length(chosen, candidates, words), 1, atol=0.07)
    np.testing.assert_array_equal(chosen[7:8], objective.choose(tokens[7:8], keys(len(tokens))[7:8]))


def test_stopping_at_the_first_word_that_does_not_fit_has_not(documentation):
    """The control: words in random order up to the first that is too long, as this project once chose them."""
    tokens, vocabulary = documentation
    candidates = ~vocabulary.special[tokens]
    words = np.cumsum(~vocabulary.continues_word[tokens], axis=1) - 1
    draws = np.where(candidates, masking._run_numbers(keys(len(tokens)), words), np.inf)
    rank = np.argsort(np.argsort(draws, axis=1, kind="stable"), axis=1)
    budget = np.rint(candidates.sum(1, keepdims=True) * 0.15)
    chosen = candidates & (masking._last_in_word(rank, np.where(candidates, words, -1)) < budget)
    assert (budget[:, 0] - chosen.sum(1)).max() > 3
    assert shares_by_length(chosen, candidates, words)[-1] < 0.92  # by the documentation of each version of Python


def test_a_word_that_does_not_fit_is_passed_over():
    """Ten tokens in a word of nine and one alone: a budget of two is spent on the one."""
    words = np.array([[0] * 9 + [1]])
    for number in range(20):
        chosen = masking.choose_count(words >= 0, 0.2, keys(1, number), words, words)
        assert chosen.tolist() == [[False] * 9 + [True]]


@given(data=st.data(), rate=st.floats(0.01, 0.9), seed=st.integers(0, 10**6))
def test_what_is_left_of_a_budget_has_room_for_no_word(data, rate, seed):
    sizes = data.draw(st.lists(st.integers(1, 6), min_size=1, max_size=20))
    words = np.repeat(np.arange(len(sizes)), sizes)[None]
    chosen = masking.choose_count(words >= 0, rate, keys(1, seed), words, words)[0]
    taken = {int(word) for word in words[0][chosen]}
    assert chosen.sum() == sum(sizes[word] for word in taken)  # whole words
    left = max(1, np.rint(sum(sizes) * rate)) - chosen.sum()
    assert left >= 0
    assert all(sizes[word] > left for word in range(len(sizes)) if word not in taken)


def test_ngrams_have_lengths_in_proportion_to_one_over_n():
    """Lan et al., 2019, section 4.1. Barriers aside, of runs of words, whatever their lengths in tokens."""
    random = np.random.default_rng(0)
    words = np.cumsum(random.random((400, 200)) < 0.7, axis=1) - 1
    words = words.clip(min=0)
    runs = masking.ngrams(words, np.zeros_like(words, dtype=bool), 3, keys(400))
    sizes = []
    for row_words, row_runs in zip(words, runs, strict=True):
        pairs = np.unique(np.stack([row_words, row_runs]), axis=1)
        assert len(pairs[0]) == len(set(pairs[0]))  # a word is in one run
        sizes += np.bincount(pairs[1])[:-1].tolist()  # the last may be cut by the end
    observed = np.bincount(sizes, minlength=4)[1:] / len(sizes)
    assert len(observed) == 3
    np.testing.assert_allclose(observed, np.array([6, 3, 2]) / 11, atol=4 * (0.25 / len(sizes)) ** 0.5)


@given(seed=st.integers(0, 10**6), most=st.integers(1, 6), data=st.data())
def test_no_run_goes_past_a_barrier(seed, most, data):
    barriers = np.array(data.draw(st.lists(st.booleans(), min_size=2, max_size=30)))[None]
    words = np.arange(barriers.shape[1])[None]
    runs = masking.ngrams(words, barriers, most, keys(1, seed))[0]
    assert runs[0] == 0 and set(np.diff(runs)) <= {0, 1}
    assert np.bincount(runs).max() <= most
    for place in np.flatnonzero(barriers[0]):
        assert (runs == runs[place]).sum() == 1


def test_full_sentences_are_laid_out_as_in_the_paper(vocabulary):
    """Between two documents stands one more separator, which is never to predict."""
    from variformer.data import Corpus

    documents, sentences = np.array([0, 5, 8]), np.array([0, 2, 5, 7, 8])
    corpus = Corpus(np.arange(10, 18, dtype=np.uint16), documents, sentences, vocabulary)
    objective = FullSentences(vocabulary, 11)
    view = objective.view(corpus)
    samples = [view.sample(index) for index in range(len(view))]
    assert objective.assemble(samples)["tokens"].tolist() == [
        [2, 10, 11, 12, 13, 14, 1, 15, 16, 17, 1],
    ]
    short = FullSentences(vocabulary, 8)
    view = short.view(corpus)
    samples = [view.sample(index) for index in range(len(view))]
    assert short.assemble(samples)["tokens"].tolist() == [
        [2, 10, 11, 12, 13, 14, 1, 0],
        [2, 15, 16, 17, 1, 0, 0, 0],
    ]
    for epoch in range(20):
        batch = objective.collate([objective.view(corpus).sample(0)], keys(1, epoch=epoch), True)
        assert not vocabulary.special[batch["targets"][batch["targets"] >= 0]].any()


def test_the_order_of_two_segments_is_told_truly(vocabulary):
    from variformer.data import Corpus

    corpus = Corpus(np.arange(10, 410, dtype=np.uint16), np.array([0, 400]), np.arange(0, 401, 8), vocabulary)
    objective = MaskedTokensAndOrder(vocabulary, LENGTH)
    view = objective.view(corpus)
    numbers = [number % len(view) for number in range(300)]
    samples = [view.sample(index, int(key)) for index, key in zip(numbers, keys(300), strict=True)]
    batch = objective.assemble(samples)
    for tokens, segments, pair in zip(*(batch[name] for name in ("tokens", "segments", "pair")), strict=True):
        first, second = (tokens[(segments == number) & (tokens >= 10)] for number in (0, 1))
        assert second[0] == first[-1] + 1 if pair == 0 else first[0] == second[-1] + 1
    assert abs(batch["pair"].mean() - 0.5) < 4 * 0.5 / 300**0.5


def test_masks_are_new_each_epoch_and_the_same_for_a_key(vocabulary):
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


def test_a_model_that_does_not_judge_pairs_is_refused(vocabulary):
    sizes = dict(vocab_size=vocabulary.size, width=8, depth=1, heads=2, hidden=8, max_length=12)
    MaskedTokensAndPairs(vocabulary, 12).initialise(Bert(**sizes))
    with pytest.raises(ValueError, match=r"DistilBert has no head .* model\.pair_classes=2"):
        MaskedTokensAndPairs(vocabulary, 12).initialise(DistilBert(**sizes))


def test_a_tokenizer_without_a_mask_token_is_refused(vocabulary):
    from types import SimpleNamespace

    without = SimpleNamespace(**{**vars(vocabulary), "mask": None})
    with pytest.raises(ValueError, match="needs a tokenizer with a `mask` token"):
        MaskedTokens(without, LENGTH)


@pytest.mark.parametrize("options", [{"rate": 0.0}, {"rate": 1.0}, {"masked": 0.8, "replaced": 0.3}, {"ngrams": 0}])
def test_impossible_shares_are_refused(vocabulary, options):
    with pytest.raises(ValueError, match=r"rate|ngrams=0 must be at least 1"):
        MaskedTokens(vocabulary, LENGTH, **options)


def test_scores_of_16_bits_are_summed_in_32():
    """Else a total of thousands would be right to two digits."""
    scores, targets = torch.randn(5000, 40).bfloat16(), torch.randint(40, (5000,))
    summed = token_ratios(scores, targets)["masked_loss"].total
    expected = torch.nn.functional.cross_entropy(scores.double(), targets, reduction="sum")
    torch.testing.assert_close(summed.double(), expected, rtol=1e-6, atol=0)
