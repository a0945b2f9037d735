"""Answers to questions, scored by the rules of the official scripts of SQuAD 1.1 and 2.0.

Rajpurkar et al., 2016, "SQuAD: 100,000+ Questions for Machine Comprehension of Text", section 6.1; Rajpurkar et al.,
2018, "Know What You Don't Know: Unanswerable Questions for SQuAD", appendix.
"""

import re
import string
from collections import Counter
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

# Shapes: N questions.

ARTICLES = re.compile(r"\b(a|an|the)\b", re.UNICODE)
PUNCTUATION = str.maketrans("", "", string.punctuation)


class Score(NamedTuple):
    """Of one answer, both from 0 to 1."""

    exact: float
    f1: float


def normalised(answer: str) -> str:
    """In lower case, without punctuation (of ASCII) and English articles, with single spaces."""
    return " ".join(ARTICLES.sub(" ", answer.lower().translate(PUNCTUATION)).split())


def score_answer(guess: str, answers: Sequence[str]) -> Score:
    """As SQuAD 1.1 scores a guess: by the best of the true answers, of which there is at least one."""
    return best(guess, answers, both_empty=0.0)


def score_answer_or_none(guess: str, answers: Sequence[str]) -> Score:
    """As SQuAD 2.0 scores a guess; "" says that there is no answer, and of a question without one `answers` is empty.

    Answers of which nothing is left when they are normalised do not count.
    """
    return best(guess, [answer for answer in answers if normalised(answer)] or [""], both_empty=1.0)


def best(guess: str, answers: Sequence[str], both_empty: float) -> Score:
    scores = [compare(normalised(guess), normalised(answer), both_empty) for answer in answers]
    return Score(max(score.exact for score in scores), max(score.f1 for score in scores))


def compare(guess: str, answer: str, both_empty: float) -> Score:
    """Two normalised answers. The F1 is that of their words, each as often as it occurs."""
    exact, ours, theirs = float(guess == answer), guess.split(), answer.split()
    if not ours or not theirs:
        return Score(exact, both_empty * (ours == theirs))
    shared = sum((Counter(ours) & Counter(theirs)).values())
    if not shared:
        return Score(exact, 0.0)
    precision, recall = shared / len(ours), shared / len(theirs)
    return Score(exact, 2 * precision * recall / (precision + recall))


class Threshold(NamedTuple):
    """`score` is the mean score, 0 to 1, where the answer to all questions with a larger margin is ""."""

    score: float
    margin: float


def best_threshold(scores: np.ndarray, margins: np.ndarray, answerable: np.ndarray, guessed: np.ndarray) -> Threshold:
    """The threshold for "no answer" with the best mean score, as the script of SQuAD 2.0 looks for it.

    If no guess is worth giving, the threshold lies below all margins, which need not be probabilities here.

    scores: (N,) exact match or F1 of the guesses
    margins: (N,) how much likelier it is that there is no answer
    answerable: (N,) whether the question has an answer
    guessed: (N,) whether the guess is an answer, and not ""
    """
    if not len(scores):
        return Threshold(float("nan"), 0.0)
    order = np.argsort(margins, kind="stable")
    gains = np.where(answerable.astype(bool), scores, -(guessed.astype(float)))[order]
    unanswerable = float((~answerable.astype(bool)).sum())
    reached = np.cumsum([unanswerable, *gains])  # with none, one, two, ... of the guesses given
    best_count = int(reached.argmax())
    ordered = margins[order]
    margin = ordered[best_count - 1] if best_count else np.nextafter(ordered[0], -np.inf)
    return Threshold(float(reached[best_count]) / len(scores), float(margin))
