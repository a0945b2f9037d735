"""Labels against guesses. The figures are scikit-learn's."""

import numpy as np

# Shapes: N samples, K classes.


def accuracy(labels: np.ndarray, guesses: np.ndarray) -> float:
    """(N,), (N,) -> the share of guesses that are right; NaN of no samples."""
    return share(labels == guesses)


def macro_f1(labels: np.ndarray, guesses: np.ndarray) -> float:
    """(N,), (N,) -> the mean F1 of the classes that occur among labels or guesses; NaN of no samples."""
    from sklearn.metrics import f1_score

    if not len(labels):
        return float("nan")
    labels, guesses, counts = pairs(labels, guesses)
    return float(f1_score(labels, guesses, average="macro", sample_weight=counts, zero_division=0.0))


def positive_f1(labels: np.ndarray, guesses: np.ndarray, positive: int) -> float:
    """(N,), (N,) -> the F1 of one class; zero where it neither occurs nor is guessed, NaN of no samples."""
    from sklearn.metrics import f1_score

    if not len(labels):
        return float("nan")
    labels, guesses, counts = pairs(labels == positive, guesses == positive)
    return float(f1_score(labels == 1, guesses == 1, sample_weight=counts, zero_division=0.0))


def matthews(labels: np.ndarray, guesses: np.ndarray) -> float:
    """(N,), (N,) -> the correlation of labels and guesses, -1 to 1; zero where either is constant, NaN of no samples.

    Matthews, 1975; for more than two classes Gorodkin, 2004.
    """
    from sklearn.metrics import matthews_corrcoef

    if not len(labels):
        return float("nan")
    if constant(labels) or constant(guesses):
        return 0.0
    labels, guesses, counts = pairs(labels, guesses)
    return float(matthews_corrcoef(labels, guesses, sample_weight=counts))


def calibration_error(right: np.ndarray, confidences: np.ndarray, bins: int = 15) -> float:
    """(N,) whether each guess is right, (N,) the probability that the model gave it -> the expected calibration error.

    The mean distance of accuracy and mean confidence in `bins` equally wide intervals, weighted by their samples
    (Guo et al., 2017, section 2). NaN of no samples.
    """
    if not len(right):
        return float("nan")
    places = np.clip(np.ceil(confidences * bins).astype(int) - 1, 0, bins - 1)
    distances = np.bincount(places, right.astype(float) - confidences.astype(float), minlength=bins)
    return float(np.abs(distances).sum() / len(right))


def confusion(labels: np.ndarray, guesses: np.ndarray, classes: int) -> np.ndarray:
    """(N,), (N,) -> (K, K): how many samples of each label, the row, got each guess, the column."""
    from sklearn.metrics import confusion_matrix

    if not len(labels):
        return np.zeros((classes, classes), dtype=np.int64)
    return np.asarray(confusion_matrix(labels, guesses, labels=np.arange(classes)))


def pairs(labels: np.ndarray, guesses: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Each pair of label and guess once, and how often it occurs: a metric of these costs nothing for many samples."""
    width = int(guesses.max()) + 1
    codes, counts = np.unique(labels.astype(np.int64) * width + guesses, return_counts=True)
    return codes // width, codes % width, counts


def share(values: np.ndarray) -> float:
    """The mean; NaN of no values."""
    return float(values.mean()) if len(values) else float("nan")


def constant(values: np.ndarray) -> bool:
    return bool((values == values[0]).all())
