"""Which tokens to hide, and what stands in their place: BERT's noise, for a whole batch at once."""

import numpy as np

from .. import randomness

# Shapes: B batch, T tokens, P positions predicted per sequence.


def choose(candidates: np.ndarray, rate: float, keys: np.ndarray, runs: np.ndarray) -> np.ndarray:
    """Of each row's candidates, (B, T) bool, each run of tokens independently with probability `rate`."""
    return candidates & (_draws(keys, runs) < rate)


def choose_count(
    candidates: np.ndarray, rate: float, keys: np.ndarray, words: np.ndarray, runs: np.ndarray
) -> np.ndarray:
    """Exactly max(1, round(rate * candidates)) of each row's candidates, as in BERT's own data preparation.

    Runs in random order while they fit, the last in part; of `words`, all of a word or none of it, which may stay a few
    tokens short. Both are (B, T) running numbers of the word and of the run (of words) that each token is of.
    """
    budget = np.maximum(np.rint(candidates.sum(1, keepdims=True) * rate), 1)
    draws = np.where(candidates, _draws(keys, runs), np.inf)
    order = np.argsort(draws, axis=1, kind="stable")
    rank = np.empty_like(order)
    np.put_along_axis(rank, order, np.arange(order.shape[1])[None], axis=1)
    # A word's tokens stand together in the order: all count as late as its last.
    return candidates & (_last_in_word(rank, np.where(candidates, words, -1)) < budget)


def ngrams(words: np.ndarray, barriers: np.ndarray, most: int, keys: np.ndarray) -> np.ndarray:
    """Running numbers of words -> of runs of n words, with a probability in proportion to 1/n for n in 1..most.

    Lan et al., 2019, section 4.1. No run goes past a token that is True in `barriers`. All arrays are (B, T).
    """
    shares = np.cumsum(1 / np.arange(1, most + 1))
    sizes = 1 + np.searchsorted(shares / shares[-1], randomness.uniform(keys, words.shape[1], stream=4), side="right")
    ends = np.cumsum(sizes, axis=1)  # of the runs, in words
    starts_run = np.zeros((len(words), words.shape[1] + 1), dtype=bool)
    np.put_along_axis(starts_run, ends.clip(max=words.shape[1]), True, axis=1)
    starts_word = np.diff(words, axis=1, prepend=-1) > 0
    starts = starts_word & np.take_along_axis(starts_run, words, axis=1)
    starts[:, 1:] |= barriers[:, :-1] | barriers[:, 1:]
    return np.cumsum(starts, axis=1)


def corrupt(
    tokens: np.ndarray,
    chosen: np.ndarray,
    keys: np.ndarray,
    *,
    mask: int,
    ordinary: np.ndarray,
    shares: tuple,
) -> np.ndarray:
    """Chosen tokens become `mask` with the first share, one of the `ordinary` ids with the second, and else stay."""
    length = tokens.shape[1]
    fate = randomness.uniform(keys, length, stream=2)
    strangers = ordinary[randomness.integers(keys, length, len(ordinary), stream=3)]
    hidden = chosen & (fate < shares[0])
    replaced = chosen & ~hidden & (fate < shares[0] + shares[1])
    return np.where(hidden, mask, np.where(replaced, strangers, tokens))


def positions(chosen: np.ndarray, count: int | None) -> tuple[np.ndarray, np.ndarray]:
    """The chosen places as positions in the flattened batch, (N,), and which of them count.

    With `count`, every row gives that many, so that shapes never change; what is lacking points at its row's start.
    """
    if count is None:
        places = np.flatnonzero(chosen)
        return places, np.ones(len(places), dtype=bool)
    order = np.argsort(~chosen, axis=1, kind="stable")[:, :count]
    valid = np.take_along_axis(chosen, order, axis=1)
    starts = np.arange(len(chosen))[:, None] * chosen.shape[1]
    return (starts + np.where(valid, order, 0)).ravel(), valid.ravel()


def _draws(keys: np.ndarray, runs: np.ndarray) -> np.ndarray:
    return np.take_along_axis(randomness.uniform(keys, runs.shape[1], stream=1), runs, axis=1)


def _last_in_word(rank: np.ndarray, words: np.ndarray) -> np.ndarray:
    """(B, T) ranks -> the largest rank within each token's word."""
    rows = np.arange(len(rank))[:, None]
    last = np.full((len(rank), rank.shape[1] + 1), -1)  # the extra column takes word -1
    np.maximum.at(last, (rows, words), rank)
    return np.take_along_axis(last, words % last.shape[1], axis=1)
