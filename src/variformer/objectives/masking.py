"""Which tokens are hidden, and what takes their place: BERT's noise, for a batch at once."""

import numpy as np

from .. import randomness

# Shapes: B batch, T tokens, P positions predicted per sequence.


def choose(candidates: np.ndarray, rate: float, keys: np.ndarray, runs: np.ndarray) -> np.ndarray:
    """Of each row's candidates, (B, T) bool, each run of tokens independently with probability `rate`."""
    return candidates & (_run_numbers(keys, runs) < rate)


def choose_count(
    candidates: np.ndarray, rate: float, keys: np.ndarray, words: np.ndarray, runs: np.ndarray
) -> np.ndarray:
    """max(1, round(rate * candidates)) of each row's candidates, as in BERT's own data preparation, and never more.

    Runs are taken in random order, word by word. A word that does not fit into the rest is passed over, and the next
    that fits is taken: fewer tokens are chosen only where no word fits. First come as many runs of each length as the
    rate asks for, the longest before the others, because at the end of the budget only short words fit. So words of
    all lengths are chosen equally often. `words` and `runs` are (B, T) running numbers of the word and of the run (of
    words) that each token belongs to.
    """
    count = candidates.sum(1, keepdims=True)
    budget = np.maximum(np.rint(count * rate), 1)
    numbers = _run_numbers(keys, runs)
    sizes = _sizes(np.where(candidates, runs, -1))
    rates = budget / count.clip(min=1)
    early = candidates & _equal_rates(runs, sizes, numbers, rates, randomness.uniform(keys, 1, stream=5))
    order = np.lexsort((numbers, np.where(early, -sizes, 0), ~early, ~candidates))
    return _while_they_fit(order, np.where(candidates, words, -1), budget)


def ngrams(words: np.ndarray, barriers: np.ndarray, most: int, keys: np.ndarray) -> np.ndarray:
    """Running numbers of words -> of runs of n words, with a probability in proportion to 1/n for n in 1..most.

    Lan et al., 2019, section 4.1. No run goes past a token that is True in `barriers`. All arrays are (B, T).
    """
    weights = np.cumsum(1 / np.arange(1, most + 1))
    sizes = 1 + np.searchsorted(weights / weights[-1], randomness.uniform(keys, words.shape[1], stream=4), side="right")
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
    masked: float,
    replaced: float,
) -> np.ndarray:
    """Chosen tokens become `mask` with probability `masked`, one of `ordinary` ids with `replaced`, and else stay."""
    length = tokens.shape[1]
    outcome = randomness.uniform(keys, length, stream=2)
    random_ids = ordinary[randomness.integers(keys, length, len(ordinary), stream=3)]
    becomes_mask = chosen & (outcome < masked)
    becomes_other = chosen & ~becomes_mask & (outcome < masked + replaced)
    return np.where(becomes_mask, mask, np.where(becomes_other, random_ids, tokens))


def positions(chosen: np.ndarray, count: int | None) -> tuple[np.ndarray, np.ndarray]:
    """The chosen places as positions in the flattened batch, (N,), and which of them count.

    With `count`, every row gives that many, so that shapes never change; places that are missing point at the row's
    start, and do not count.
    """
    if count is None:
        places = np.flatnonzero(chosen)
        return places, np.ones(len(places), dtype=bool)
    order = np.argsort(~chosen, axis=1, kind="stable")[:, :count]
    valid = np.take_along_axis(chosen, order, axis=1)
    starts = np.arange(len(chosen))[:, None] * chosen.shape[1]
    return (starts + np.where(valid, order, 0)).ravel(), valid.ravel()


def _run_numbers(keys: np.ndarray, runs: np.ndarray) -> np.ndarray:
    return np.take_along_axis(randomness.uniform(keys, runs.shape[1], stream=1), runs, axis=1)


def _sizes(units: np.ndarray) -> np.ndarray:
    """(B, T) running numbers of each token's word or run -> (B, T): how many tokens have that number; 0 for -1."""
    sizes = np.zeros((len(units), units.shape[1] + 1), dtype=int)  # the extra column takes -1
    np.add.at(sizes, (np.arange(len(units))[:, None], units), 1)
    sizes[:, -1] = 0
    return np.take_along_axis(sizes, units % sizes.shape[1], axis=1)


def _equal_rates(
    runs: np.ndarray, sizes: np.ndarray, numbers: np.ndarray, rates: np.ndarray, start: np.ndarray
) -> np.ndarray:
    """Of each row's runs of each size, those with the smallest random numbers, each with probability `rates`, (B, 1).

    Of the first n runs, longest first, floor(n * rate + start) are chosen; `start`, (B, 1), is uniform in [0, 1). In
    this systematic sample (Madow and Madow, 1944) the number of tokens is close to what the rate asks for.
    """
    order = np.lexsort((numbers, -sizes))
    sorted_runs, sorted_sizes = (np.take_along_axis(array, order, axis=1) for array in (runs, sizes))
    index = np.cumsum(np.diff(sorted_runs, axis=1, prepend=-1) != 0, axis=1) - 1
    differs = np.diff(sorted_sizes, axis=1) != 0
    first = np.pad(differs, ((0, 0), (1, 0)), constant_values=True)
    last = np.pad(differs, ((0, 0), (0, 1)), constant_values=True)
    begin = np.maximum.accumulate(np.where(first, index, 0), axis=1)
    end = np.minimum.accumulate(np.where(last, index + 1, runs.shape[1])[:, ::-1], axis=1)[:, ::-1]
    chosen = np.empty(runs.shape, dtype=bool)
    wanted = np.floor(end * rates + start) - np.floor(begin * rates + start)
    np.put_along_axis(chosen, order, index - begin < wanted, axis=1)
    return chosen


def _while_they_fit(order: np.ndarray, words: np.ndarray, budget: np.ndarray) -> np.ndarray:
    """(B, T) bool: each row's words in their order, one that does not fit into the rest of the (B, 1) budget left out.

    `order` holds the places of tokens, those of a word together; the word -1 is never taken. Each round takes all words
    before the first that does not fit, and drops all that are longer than the rest. So there are only a few rounds.
    """
    words = np.take_along_axis(words, order, axis=1)
    sizes = _sizes(words)
    taken, open_ = np.zeros(order.shape, dtype=bool), sizes > 0
    while (open_ := open_ & (sizes <= budget)).any():
        ends = _last_in_word(np.where(open_, np.cumsum(open_, axis=1), 0), words)
        now = open_ & ~np.maximum.accumulate(open_ & (ends > budget), axis=1)
        taken |= now
        open_ &= ~now
        budget = budget - now.sum(1, keepdims=True)
    chosen = np.empty_like(taken)
    np.put_along_axis(chosen, order, taken, axis=1)
    return chosen


def _last_in_word(rank: np.ndarray, words: np.ndarray) -> np.ndarray:
    """(B, T) ranks -> the largest rank within each token's word."""
    rows = np.arange(len(rank))[:, None]
    last = np.full((len(rank), rank.shape[1] + 1), -1)  # the extra column takes word -1
    np.maximum.at(last, (rows, words), rank)
    return np.take_along_axis(last, words % last.shape[1], axis=1)
