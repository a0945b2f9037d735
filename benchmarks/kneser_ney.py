"""Interpolated Kneser-Ney smoothing: what counting n-grams knows of the next token.

Kneser and Ney, 1995; in the interpolated form of Chen and Goodman, 1998, "An Empirical Study of Smoothing
Techniques for Language Modeling", sections 2.6 and 2.7. One discount for each order, n1 / (n1 + 2 n2).
"""

from dataclasses import dataclass

import numpy as np

# Shapes: N n-grams, G different ones, C different contexts.
# An n-gram is kept as one number, its ids being the digits to the base `size`.


@dataclass(frozen=True)
class Level:
    """Counts of one order, discounted by `discount` each; the rest goes to the order below."""

    grams: np.ndarray  # (G,) sorted
    counts: np.ndarray  # (G,)
    contexts: np.ndarray  # (C,) sorted: all but an n-gram's last token
    totals: np.ndarray  # (C,) of the counts that follow a context
    kinds: np.ndarray  # (C,) how many different tokens follow it
    discount: float

    def interpolate(self, grams: np.ndarray, size: int, lower: np.ndarray) -> np.ndarray:
        """(N,) n-grams, (N,) probabilities of the order below -> (N,) probabilities of the last tokens."""
        counts = look_up(grams, self.grams, self.counts)
        totals, kinds = (look_up(grams // size, self.contexts, values) for values in (self.totals, self.kinds))
        shared = np.maximum(counts - self.discount, 0) + self.discount * kinds * lower
        return np.where(totals > 0, shared / np.maximum(totals, 1), lower)


class KneserNey:
    """A model of `order` tokens at a time over ids in [0, size), counted on a stream of ids, (tokens,).

    Orders below the highest count in how many contexts a token occurs, not how often; below the lowest every
    id is equally likely, so nothing has probability 0. Raises ValueError where an n-gram does not fit into 63
    bits.
    """

    def __init__(self, stream: np.ndarray, order: int, size: int):
        if order < 1 or size**order >= 1 << 63:
            raise ValueError(f"order={order} with {size} ids: choose 1 <= order <= {int(63 / np.log2(size))}")
        self.order, self.size = order, size
        self.levels: list[Level] = []
        grams, counts = np.unique(self.number(ngrams(stream, order)), return_counts=True)
        for length in range(order, 0, -1):
            contexts, where = np.unique(grams // size, return_inverse=True)
            totals, kinds = np.bincount(where, counts), np.bincount(where)
            self.levels.insert(0, Level(grams, counts, contexts, totals, kinds, discount(counts)))
            grams, counts = np.unique(grams % size ** (length - 1), return_counts=True)

    def probabilities(self, stream: np.ndarray) -> np.ndarray:
        """(tokens,) -> (tokens - 1,): of each token but the first, given those before it."""
        return self.probability(ngrams(stream, self.order))

    def probability(self, grams: np.ndarray) -> np.ndarray:
        """(N, order) n-grams -> (N,) probabilities of the last tokens, given the others."""
        numbers = self.number(grams)
        result = np.full(len(grams), 1 / self.size)
        for length, level in enumerate(self.levels, start=1):
            result = level.interpolate(numbers % self.size**length, self.size, result)
        return result

    def number(self, grams: np.ndarray) -> np.ndarray:
        return grams.astype(np.int64) @ (self.size ** np.arange(self.order - 1, -1, -1, dtype=np.int64))


def ngrams(stream: np.ndarray, order: int) -> np.ndarray:
    """(tokens,) -> (tokens - 1, order): each token but the first behind its context.

    Where the context would begin before the stream, the first token is repeated.
    """
    if len(stream) < 2:
        raise ValueError(f"a stream of {len(stream)} tokens holds nothing to predict: at least 2 are needed")
    padded = np.concatenate([np.repeat(stream[:1], max(order - 2, 0)), stream])
    return np.lib.stride_tricks.sliding_window_view(padded, order)[-(len(stream) - 1) :]


def discount(counts: np.ndarray) -> float:
    """Ney, Essen and Kneser's estimate, 1994; 0.5 where nothing occurs once, since 0 shares nothing."""
    once, twice = (int((counts == n).sum()) for n in (1, 2))
    return once / (once + 2 * twice) if once else 0.5


def look_up(wanted: np.ndarray, keys: np.ndarray, values: np.ndarray) -> np.ndarray:
    """(N,) keys to find among sorted ones -> (N,) their values, 0 for those that are not there."""
    places = np.searchsorted(keys, wanted).clip(max=len(keys) - 1)
    return np.where(keys[places] == wanted, values[places], 0)
