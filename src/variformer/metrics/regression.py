"""Values against guesses. The correlations are scipy's."""

import numpy as np

from .classification import constant, share

# Shapes: N samples.


def pearson(values: np.ndarray, guesses: np.ndarray) -> float:
    """(N,), (N,) -> the linear correlation; zero where either is constant, NaN of no samples."""
    from scipy.stats import pearsonr

    if not len(values):
        return float("nan")
    if constant(values) or constant(guesses):
        return 0.0
    return float(pearsonr(values.astype(float), guesses.astype(float)).statistic)


def spearman(values: np.ndarray, guesses: np.ndarray) -> float:
    """(N,), (N,) -> the correlation of ranks, ties at their mean rank; zero where either is constant, NaN of no
    samples.
    """
    from scipy.stats import rankdata

    return pearson(rankdata(values), rankdata(guesses))


def mean_absolute_error(values: np.ndarray, guesses: np.ndarray) -> float:
    """(N,), (N,) -> the mean distance, in the unit of the values; NaN of no samples."""
    return share(np.abs(values.astype(float) - guesses.astype(float)))
