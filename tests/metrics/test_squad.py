"""Answers are scored as the official scripts of SQuAD score them; their rules are written out here once more."""

import collections
import re
import string

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from variformer.metrics.squad import best_threshold, normalised, score_answer, score_answer_or_none

WORDS = [
    "a",
    "The",
    "the",
    "an",
    "cat",
    "Cat.",
    "cat's",
    "sat",
    "1,000",
    "theatre",
    "—",
    "é",
    "...",
    "\uff21",
    "the-end",
]
ANSWERS = st.lists(st.sampled_from(WORDS), max_size=4).flatmap(
    lambda words: st.sampled_from([" ", "  ", "\t", "\u00a0", "\n"]).map(lambda space: space.join(words))
)


def normalize_answer(text: str) -> str:
    """Lower case first, then punctuation, articles and extra white space are removed."""
    text = "".join(letter for letter in text.lower() if letter not in set(string.punctuation))
    return " ".join(re.sub(re.compile(r"\b(a|an|the)\b", re.UNICODE), " ", text).split())


def official_f1(guess: str, answer: str, version: float) -> float:
    ours, theirs = normalize_answer(guess).split(), normalize_answer(answer).split()
    common = collections.Counter(theirs) & collections.Counter(ours)
    same = sum(common.values())
    if version == 2.0 and (len(theirs) == 0 or len(ours) == 0):
        return float(ours == theirs)
    if same == 0:
        return 0.0
    precision, recall = 1.0 * same / len(ours), 1.0 * same / len(theirs)
    return (2 * precision * recall) / (precision + recall)


def official_exact(guess: str, answer: str) -> float:
    return float(normalize_answer(guess) == normalize_answer(answer))


@given(st.text())
def test_any_text_is_normalised_as_the_script_does(text):
    assert normalised(text) == normalize_answer(text)


@given(ANSWERS, st.lists(ANSWERS, min_size=1, max_size=3))
def test_a_guess_is_scored_by_the_rules_of_version_1(guess, answers):
    found = score_answer(guess, answers)
    assert found.exact == max(official_exact(guess, answer) for answer in answers)
    assert found.f1 == max(official_f1(guess, answer, 1.1) for answer in answers)


@given(ANSWERS, st.lists(ANSWERS, max_size=3))
def test_a_guess_is_scored_by_the_rules_of_version_2(guess, answers):
    gold = [answer for answer in answers if normalize_answer(answer)] or [""]
    found = score_answer_or_none(guess, answers)
    assert found.exact == max(official_exact(guess, answer) for answer in gold)
    assert found.f1 == max(official_f1(guess, answer, 2.0) for answer in gold)


def test_examples_of_the_rules():
    assert score_answer("The  Cat!", ["cat", "dog"]) == (1.0, 1.0)
    assert score_answer("the black cat", ["a cat"]) == (0.0, pytest.approx(2 / 3))
    assert score_answer_or_none("", []) == (1.0, 1.0) and score_answer_or_none("cat", []) == (0.0, 0.0)
    assert score_answer_or_none("", ["cat"]) == (0.0, 0.0)


def official_threshold(predictions, scores, no_answer, has_answer) -> tuple[float, float]:
    """`find_best_thresh` of the script of version 2.0, without its factor of 100."""
    unanswerable = sum(1 for each in has_answer if not has_answer[each])
    current = best = unanswerable
    threshold = 0.0
    for question in sorted(no_answer, key=lambda each: no_answer[each]):
        unanswered = -1 if predictions[question] else 0
        gain = scores[question] if has_answer[question] else unanswered
        current += gain
        if current > best:
            best, threshold = current, no_answer[question]
    return best / len(scores), threshold


QUESTIONS = st.lists(
    st.tuples(st.floats(0, 1), st.integers(0, 5).map(lambda n: n / 5), st.booleans(), st.booleans()),
    min_size=1,
    max_size=25,
)


@given(QUESTIONS)
def test_the_best_threshold_is_that_of_the_script(questions):
    named = [dict(enumerate(column)) for column in zip(*questions, strict=True)]
    scores, no_answer, has_answer, predictions = named
    found = best_threshold(*(np.array(column) for column in zip(*questions, strict=True)))
    expected, threshold = official_threshold(predictions, scores, no_answer, has_answer)
    assert found.score == expected
    if expected > sum(not each for each in has_answer.values()) / len(questions):
        assert found.margin == threshold
    else:
        assert all(margin > found.margin for margin in no_answer.values())


@given(
    st.lists(
        st.tuples(st.floats(0, 1), st.floats(-9, 9), st.booleans()), min_size=1, max_size=25, unique_by=lambda q: q[1]
    )
)
def test_the_threshold_gives_the_score_that_it_promises(questions):
    scores, margins, answerable = map(np.array, zip(*questions, strict=True))
    found = best_threshold(scores, margins, answerable, np.ones(len(scores), dtype=bool))
    withheld = margins > found.margin
    mean = np.where(withheld, ~answerable, np.where(answerable, scores, 0.0)).mean()
    assert found.score == pytest.approx(mean, abs=1e-12)
    for other in [*margins, -10.0]:
        reached = np.where(margins > other, ~answerable, np.where(answerable, scores, 0.0)).mean()
        assert reached <= found.score + 1e-12


def test_no_questions_have_no_threshold():
    none = np.array([])
    assert np.isnan(best_threshold(none, none, none, none).score)
