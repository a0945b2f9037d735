"""The order within each pass over the data: a new permutation, batches of like length, or shares of several parts."""

from collections.abc import Sequence
from typing import NamedTuple, Protocol

import numpy as np

from ..randomness import sample_key, uniform
from ..ranges import Count, Positive, Seed

# Shapes: N samples in a pass, F whole global batches in it, K parts.


class Pass(NamedTuple):
    """(N,) which samples come, and (N,) the epoch of each: how often its part of the data was read before."""

    epochs: np.ndarray
    indices: np.ndarray


class Shuffle(Protocol):
    """A pure function of the seed and the number of the pass; all passes have the same size."""

    size: int
    seed: int

    def order(self, number: int) -> Pass: ...


class Plain:
    """Each pass is a new permutation."""

    def __init__(self, size: Count, seed: Seed) -> None:
        self.size, self.seed = size, seed

    def order(self, number: int) -> Pass:
        indices = np.random.default_rng((self.seed, number)).permutation(self.size)
        return Pass(np.broadcast_to(number, self.size), indices)


class Bucketed:
    """The order of another shuffle, changed within windows, so that the samples of a global batch have like lengths.

    inner: the other shuffle
    lengths: of each sample
    batch: samples of a global batch
    window: about how many global batches are sorted by length together; they come in a random order

    Batches begin where those of the whole run do, also where a pass ends amid one. The samples of such a batch are the
    shortest of their windows on both sides.
    """

    def __init__(self, inner: Shuffle, lengths: np.ndarray, batch: Count, window: Count) -> None:
        self.inner, self.lengths, self.batch, self.window = inner, lengths, batch, window
        self.size, self.seed = inner.size, inner.seed

    def order(self, number: int) -> Pass:
        given = self.inner.order(number)
        head = min(-number * self.size % self.batch, self.size)  # samples of the batch that the last pass began
        whole = (self.size - head) // self.batch
        windows = max(1, round(whole / self.window))
        of_batch = np.arange(whole) * windows // max(whole, 1)  # (F,) windows, all of about the same size
        batch = ((np.arange(self.size) - head) // self.batch).clip(0, max(whole - 1, 0))
        window = of_batch[batch] if whole else batch
        ranked = np.lexsort((np.arange(self.size), self.lengths[given.indices], window))
        head_places, rest = ranked[:head], ranked[head:]
        last = len(rest) - whole * self.batch  # samples of the batch that the next pass ends
        begin = int(np.argmax(window[rest] == windows - 1)) if len(rest) else 0
        tail, rest = rest[begin : begin + last], np.delete(rest, np.s_[begin : begin + last])
        numbers = uniform(np.array([sample_key(self.seed, number, 0)], np.uint64), max(whole, 1), stream=6)[0][:whole]
        batches = rest.reshape(whole, self.batch)[np.lexsort((numbers, of_batch))]
        places = np.concatenate([head_places, batches.ravel(), tail])
        return Pass(given.epochs[places], given.indices[places])


class Mixed:
    """Parts that stand one after the other, each with its share of the places of a pass.

    sizes, shares: (K,) samples of each part, and its share, of which the sum is one. A pass has as many places as there
    are samples. The order of a part runs on from one pass to the next: a small part repeats, a large one is not cut.
    """

    def __init__(self, sizes: Sequence[Count], shares: Sequence[Positive], seed: Seed) -> None:
        self.sizes, self.seed, self.size = list(sizes), seed, sum(sizes)
        self.quotas = quotas(shares, self.size)

    def order(self, number: int) -> Pass:
        places = np.random.default_rng((self.seed, len(self.sizes), number)).permutation(self.size)
        epochs, indices = np.empty((2, self.size), dtype=np.int64)
        first, begin = 0, 0
        for part, (size, quota) in enumerate(zip(self.sizes, self.quotas, strict=True)):
            positions = np.arange(number * quota, (number + 1) * quota)
            own = places[begin : begin + quota]
            epochs[own] = positions // size
            indices[own] = first + self._part(part, size, positions)
            first, begin = first + size, begin + quota
        return Pass(epochs, indices)

    def _part(self, part: int, size: int, positions: np.ndarray) -> np.ndarray:
        """The samples of one part at these positions of its own order."""
        found = np.empty(len(positions), dtype=np.int64)
        for epoch in np.unique(positions // size):
            chosen = positions // size == epoch
            permutation = np.random.default_rng((self.seed, part, int(epoch))).permutation(size)
            found[chosen] = permutation[positions[chosen] % size]
        return found


def quotas(shares: Sequence[float], places: int) -> list[int]:
    """Whole numbers in proportion to the shares, which add up to `places`: the largest remainders are rounded up."""
    exact = np.asarray(shares) / np.sum(shares) * places
    found = np.floor(exact).astype(int)
    missing = np.argsort(found - exact, kind="stable")[: places - found.sum()]
    found[missing] += 1
    return found.tolist()


def mixing_shares(sizes: Sequence[Count], temperature: Positive = 1.0, most: Count | None = None) -> list[float]:
    """Shares in proportion to min(size, most) ^ (1 / temperature) (Raffel et al., 2019, section 3.5.2)."""
    limited = np.minimum(sizes, np.inf if most is None else most) ** (1 / temperature)
    return (limited / limited.sum()).tolist()
