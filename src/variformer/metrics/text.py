"""Written texts against references, by sacrebleu and rouge-score: counts of each text, and scores of their sums."""

from collections.abc import Sequence
from functools import lru_cache
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

if TYPE_CHECKING:
    from rouge_score.rouge_scorer import RougeScorer
    from sacrebleu.metrics.base import Metric

# Shapes: N texts, C counts.

ROUGE = ("rouge1", "rouge2", "rougeL", "rougeLsum")


class CorpusMetric:
    """A metric of sacrebleu. It is computed of counts that are summed over texts, so that a text can be a row.

    The counts come from the methods that sacrebleu's own significance tests use.
    """

    def __init__(self, metric: "Metric"):
        self.metric = metric

    def counts(self, guess: str, references: Sequence[str]) -> np.ndarray:
        """A text and its references, of which there is at least one -> (C,)."""
        (counts,) = self.metric._extract_corpus_statistics([guess], [[reference] for reference in references])
        return np.array(counts, dtype=np.float64)

    def score(self, counts: np.ndarray) -> float:
        """(N, C) -> the score of all texts together, 0 to 100 (TER: or more); NaN of no texts."""
        if not len(counts):
            return float("nan")
        sums = [int(each) if each.is_integer() else each for each in counts.sum(0).tolist()]
        return float(self.metric._compute_score_from_stats(sums).score)

    def signature(self, references: int = 1) -> str:
        """What has to be said with a score, so that others can compare theirs (Post, 2018)."""
        signature = self.metric.get_signature()
        signature.update("nrefs", references)
        return signature.format()


@lru_cache
def bleu() -> CorpusMetric:
    """Papineni et al., 2002, with the words of mteval-v13a and exponential smoothing: (C,) is (10,)."""
    from sacrebleu.metrics.bleu import BLEU

    return CorpusMetric(BLEU(tokenize="13a", smooth_method="exp", force=True))


@lru_cache
def chrf() -> CorpusMetric:
    """F2 of character 1-grams to 6-grams (Popović, 2015): (C,) is (18,)."""
    from sacrebleu.metrics.chrf import CHRF

    return CorpusMetric(CHRF(word_order=0))


@lru_cache
def chrf_with_words() -> CorpusMetric:
    """chrF++: also words and pairs of words (Popović, 2017): (C,) is (24,)."""
    from sacrebleu.metrics.chrf import CHRF

    return CorpusMetric(CHRF(word_order=2))


@lru_cache
def ter() -> CorpusMetric:
    """Edits and moved phrases for each word of the reference (Snover et al., 2006): (C,) is (2,). Less is better."""
    from sacrebleu.metrics.ter import TER

    return CorpusMetric(TER())


@lru_cache
def rouge_scorer(stemmed: bool) -> "RougeScorer":
    from rouge_score.rouge_scorer import RougeScorer

    return RougeScorer(ROUGE, use_stemmer=stemmed)


def rouge(guess: str, references: Sequence[str], stemmed: bool = False) -> np.ndarray:
    """A text and its references -> (4,), the F of ROUGE-1, 2, L and Lsum, 0 to 1, each with the best reference.

    A score of many texts is the mean of theirs. Lsum takes each line for a sentence. With `stemmed` English words are
    reduced to their stems (Lin, 2004, section 4; the Porter stemmer).
    """
    scores = rouge_scorer(stemmed).score_multi(references, guess)
    return np.array([scores[name].fmeasure for name in ROUGE])


def exact_match(guess: str, references: Sequence[str]) -> bool:
    """Whether a text equals one of the references, white space at their ends aside."""
    return guess.strip() in {reference.strip() for reference in references}


class Edits(NamedTuple):
    """The edits that make the reference of a text, and the tokens of that reference."""

    edits: int
    tokens: int


def token_edits(guess: str, references: Sequence[str]) -> Edits:
    """A text and its references, tokens parted by white space -> insertions, deletions and substitutions, to the
    reference with the fewest for each of its tokens.

    The sum of edits over the sum of tokens is the token error rate: of words the word error rate, of phones the phone
    error rate.
    """
    found = [Edits(distance(guess.split(), words := reference.split()), len(words)) for reference in references]
    return min(found, key=lambda each: each.edits / max(each.tokens, 1))


def distance(one: Sequence[str], other: Sequence[str]) -> int:
    """Levenshtein, 1966, row by row."""
    row = list(range(len(other) + 1))
    for place, token in enumerate(one, start=1):
        diagonal, row[0] = row[0], place
        for column, each in enumerate(other, start=1):
            diagonal, row[column] = row[column], min(row[column] + 1, row[column - 1] + 1, diagonal + (token != each))
    return row[-1]


def token_error_rate(edits: np.ndarray, tokens: np.ndarray) -> float:
    """(N,), (N,) -> edits for each token of the references; NaN of no texts. Where references are empty, 0 or 1."""
    if not len(edits):
        return float("nan")
    return float(edits.sum() / tokens.sum()) if tokens.sum() else float(edits.sum() > 0)
