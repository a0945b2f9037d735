"""Sums of the counts of each text score as the libraries score the texts themselves."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from rouge_score.rouge_scorer import RougeScorer
from sacrebleu.metrics import BLEU, CHRF, TER

from variformer.metrics import text as ours

METRICS = {
    "bleu": (ours.bleu, lambda: BLEU(), 10),
    "chrf": (ours.chrf, lambda: CHRF(), 18),
    "chrf_with_words": (ours.chrf_with_words, lambda: CHRF(word_order=2), 24),
    "ter": (ours.ter, lambda: TER(), 2),
}
WORDS = ["the", "cat", "cats", "sat", "on", "mat.", "The", "(é", "naïve", "日本語", "1,000", "&quot;", "\n", "🙂", "-"]
TEXTS = st.one_of(st.lists(st.sampled_from(WORDS), max_size=12).map(" ".join), st.text(max_size=12))
CORPORA = st.lists(st.tuples(TEXTS, TEXTS, TEXTS), min_size=1, max_size=6)


@pytest.mark.parametrize("name", METRICS)
def test_scores_of_summed_counts_are_those_of_the_corpus(name):
    metric, library, width = METRICS[name]

    @given(CORPORA, st.booleans())
    def compare(corpus, two):
        guesses, first, second = map(list, zip(*corpus, strict=True))
        references = [first, second] if two else [first]
        counts = np.array([metric().counts(each, refs) for each, *refs in zip(guesses, *references, strict=True)])
        assert counts.shape == (len(corpus), width)
        assert metric().score(counts) == pytest.approx(library().corpus_score(guesses, references).score, rel=1e-12)
        half = len(corpus) // 2
        parts = np.stack([counts[:half].sum(0), counts[half:].sum(0)])
        assert metric().score(parts) == metric().score(counts)

    compare()


@pytest.mark.parametrize("name", METRICS)
def test_the_signature_is_that_of_the_library(name):
    metric, library, _ = METRICS[name]
    plain = library()
    plain.corpus_score(["a cat"], [["the cat"]])
    assert metric().signature() == plain.get_signature().format()
    assert "nrefs:2" in metric().signature(references=2)


def test_short_texts_are_smoothed_as_sacrebleu_does():
    counts = np.array([ours.bleu().counts("the cat sat on mat", ["the cat sat on the mat"])])
    assert ours.bleu().score(counts) == pytest.approx(
        BLEU().corpus_score(["the cat sat on mat"], [["the cat sat on the mat"]]).score
    )
    assert ours.bleu().score(counts) > 0


def test_without_texts_there_is_no_score():
    assert all(np.isnan(metric().score(np.zeros((0, width)))) for metric, _, width in METRICS.values())
    assert np.isnan(ours.token_error_rate(np.array([]), np.array([])))


@given(TEXTS, st.lists(TEXTS, min_size=1, max_size=2), st.booleans())
def test_rouge_is_that_of_the_library(guess, references, stemmed):
    library = RougeScorer(["rouge1", "rouge2", "rougeL", "rougeLsum"], use_stemmer=stemmed)
    expected = [each.fmeasure for each in library.score_multi(references, guess).values()]
    assert ours.rouge(guess, references, stemmed).tolist() == expected


def test_rouge_lsum_reads_lines_as_sentences():
    _, _, whole, lines = ours.rouge("a cat sat\nthe dog ran", ["the dog ran\na cat sat"])
    assert whole < lines == 1.0


def recursive(one: list[str], other: list[str]) -> int:
    if not one or not other:
        return len(one) + len(other)
    kept = recursive(one[1:], other[1:]) + (one[0] != other[0])
    return min(kept, 1 + recursive(one[1:], other), 1 + recursive(one, other[1:]))


TOKENS = st.lists(st.sampled_from("abc"), max_size=5)


@given(TOKENS, TOKENS)
def test_the_distance_is_the_fewest_edits(one, other):
    assert ours.distance(one, other) == recursive(one, other)


def test_the_best_reference_counts_for_edits():
    assert ours.token_edits("k ae t", ["d ao g", "k ah t s"]) == (2, 4)
    assert ours.token_edits("", [""]) == (0, 0) and ours.token_edits("a", [""]) == (1, 0)
    assert ours.token_error_rate(np.array([2, 1]), np.array([4, 2])) == 0.5
    assert ours.token_error_rate(np.array([1]), np.array([0])) == 1.0


def test_exact_match_leaves_white_space_at_the_ends_aside():
    assert ours.exact_match(" the cat\n", ["a cat", "the cat"]) and not ours.exact_match("The cat", ["the cat"])
