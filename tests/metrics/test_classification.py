"""Each figure equals a count by hand, and scikit-learn's on the samples themselves."""

import warnings

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn import metrics as sklearn

from variformer.metrics import classification as ours

pytestmark = pytest.mark.filterwarnings("error")
LABELS = st.integers(1, 5).flatmap(
    lambda classes: st.lists(st.tuples(*[st.integers(0, classes - 1)] * 2), min_size=1, max_size=40)
)


def columns(pairs) -> tuple[np.ndarray, np.ndarray]:
    labels, guesses = np.array(pairs).T
    return labels, guesses


def counted(pairs, positive: int) -> float:
    both = sum(label == guess == positive for label, guess in pairs)
    either = sum((label == positive) + (guess == positive) for label, guess in pairs)
    return 2 * both / either if either else 0.0


@given(LABELS)
def test_accuracy_and_f1_equal_counts(pairs):
    labels, guesses = columns(pairs)
    assert ours.accuracy(labels, guesses) == pytest.approx(sum(a == b for a, b in pairs) / len(pairs))
    for positive in range(5):
        assert ours.positive_f1(labels, guesses, positive) == pytest.approx(counted(pairs, positive))
    occurring = {each for pair in pairs for each in pair}
    expected = sum(counted(pairs, each) for each in occurring) / len(occurring)
    assert ours.macro_f1(labels, guesses) == pytest.approx(expected)
    assert ours.macro_f1(labels, guesses) == sklearn.f1_score(labels, guesses, average="macro", zero_division=0.0)


@given(LABELS)
def test_matthews_equals_gorodkins_definition(pairs):
    labels, guesses = columns(pairs)
    one, other = (each[:, None] == np.arange(5) for each in columns(pairs))
    covariances = [
        sum(np.cov(a.T[k], b.T[k], bias=True)[0, 1] for k in range(5))
        for a, b in ((one, other), (one, one), (other, other))
    ]
    spread = np.sqrt(covariances[1] * covariances[2])
    assert ours.matthews(labels, guesses) == pytest.approx(covariances[0] / spread if spread > 1e-12 else 0.0, abs=1e-9)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        assert ours.matthews(labels, guesses) == pytest.approx(sklearn.matthews_corrcoef(labels, guesses), abs=1e-12)


@given(LABELS)
def test_the_confusion_counts_every_sample(pairs):
    labels, guesses = columns(pairs)
    table = ours.confusion(labels, guesses, 5) if len({*labels, *guesses}) > 1 else None
    if table is not None:
        assert table.shape == (5, 5)
        assert all(table[a, b] == pairs.count((a, b)) for a in range(5) for b in range(5))


@given(st.lists(st.tuples(st.booleans(), st.floats(0, 1)), min_size=1, max_size=40), st.integers(1, 20))
def test_the_calibration_error_equals_its_definition(samples, bins):
    expected = 0.0
    for place in range(bins):
        low, high = place / bins, (place + 1) / bins
        inside = [(r, c) for r, c in samples if np.ceil(c * bins) == place + 1 or (place == 0 and c == 0)]
        assert all(low - 1e-9 <= c <= high + 1e-9 for _, c in inside)
        if inside:
            gap = abs(np.mean([r for r, _ in inside]) - np.mean([c for _, c in inside]))
            expected += len(inside) / len(samples) * gap
    right, confidences = map(np.array, zip(*samples, strict=True))
    assert ours.calibration_error(right, confidences, bins) == pytest.approx(expected, abs=1e-12)


def test_a_model_that_is_sure_and_wrong_is_badly_calibrated():
    assert ours.calibration_error(np.array([True, True, False, False]), np.full(4, 0.5)) == 0.0
    assert ours.calibration_error(np.zeros(4, dtype=bool), np.ones(4)) == 1.0


def test_no_samples_have_no_metric():
    none = np.array([], dtype=int)
    found = [ours.accuracy(none, none), ours.macro_f1(none, none), ours.positive_f1(none, none, 1)]
    found += [ours.matthews(none, none), ours.calibration_error(none, none)]
    assert np.isnan(found).all()
    assert ours.confusion(none, none, 3).tolist() == [[0] * 3] * 3
