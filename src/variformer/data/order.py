"""The order of samples, a pure function of seed and position; interruptions do not change it."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from ..randomness import uniform
from ..ranges import Count, Seed, Whole
from .shuffles import Pass, Plain, Shuffle

# Positions count all samples that the model reads: position p is the one at p % size in pass p // size.

Index = tuple[int, int]  # (epoch, index within the split)


@dataclass(frozen=True)
class BatchPart:
    """Which part of every global batch one process reads: every `world`-th sample from `rank` on, `micro` at a time."""

    micro: Count
    rank: Whole = 0
    world: Count = 1


class TrainingOrder:
    """Batches of (epoch, index) pairs without an end of epoch: one pass of a `shuffle` after the other.

    `size` samples, `steps` global batches of `batch` samples; the run has already read the first `start` samples.
    shuffle: the order within a pass; None: a new permutation in each
    """

    def __init__(
        self,
        size: Count,
        *,
        seed: Seed,
        batch: Count,
        steps: Count,
        part: BatchPart,
        start: Whole = 0,
        shuffle: Shuffle | None = None,
    ):
        if batch % (part.micro * part.world):
            raise ValueError(
                f"global_batch={batch} is not a multiple of micro_batch={part.micro} x {part.world} devices"
            )
        self.size, self.seed, self.batch = size, seed, batch
        self.steps, self.part, self.start = steps, part, start
        self.shuffle = Plain(size, seed) if shuffle is None else shuffle

    def __len__(self) -> int:
        """Micro batches of the run, with those already read: Lightning counts from the beginning of the run."""
        return self.steps * self.batch // (self.part.micro * self.part.world)

    def __iter__(self) -> Iterator[list[Index]]:
        number, chosen = -1, Pass(np.empty(0, dtype=int), np.empty(0, dtype=int))
        for first in range(self.start, self.steps * self.batch, self.batch):
            indices: list[Index] = []
            for position in range(first + self.part.rank, first + self.batch, self.part.world):
                if position // self.size != number:
                    number = position // self.size
                    chosen = self.shuffle.order(number)
                place = position % self.size
                indices.append((int(chosen.epochs[place]), int(chosen.indices[place])))
            for begin in range(0, len(indices), self.part.micro):
                yield indices[begin : begin + self.part.micro]


class RepeatedBatch(TrainingOrder):
    """The first global batch at every step, to see whether a model can learn it by heart."""

    def __iter__(self) -> Iterator[list[Index]]:
        first = list(
            TrainingOrder(self.size, seed=self.seed, batch=self.batch, steps=1, part=self.part, shuffle=self.shuffle)
        )
        for _ in range(self.start // self.batch, self.steps):
            yield from first


class EvaluationOrder:
    """Each of the samples at `indices` once; devices take turns, and the last batches may be short.

    All devices have the same number of batches, because a sharded model computes on all devices together. A device
    without further samples gets the first one again, with epoch 1; it is not counted.
    """

    def __init__(self, indices: Sequence[Whole], part: BatchPart):
        self.first, self.indices = indices[0], indices[part.rank :: part.world]
        self.micro, self.batches = part.micro, -(-len(indices) // (part.micro * part.world))

    def __len__(self) -> int:
        return self.batches

    def __iter__(self) -> Iterator[list[Index]]:
        for begin in range(0, self.batches * self.micro, self.micro):
            yield [(0, index) for index in self.indices[begin : begin + self.micro]] or [(1, self.first)]


class InTurn:
    """The batches of several orders, one order after the other: so that no batch holds samples of two parts."""

    def __init__(self, orders: Sequence[EvaluationOrder]):
        self.orders = orders

    def __len__(self) -> int:
        return sum(map(len, self.orders))

    def __iter__(self) -> Iterator[list[Index]]:
        for order in self.orders:
            yield from order


def chosen_indices(size: int, count: int | None) -> Sequence[int]:
    """`count` of `size` indices in ascending order, the same ones in every run; None: all.

    These are the indices with the smallest hashes, so that a larger count contains a smaller one.
    """
    if count is None or count >= size:
        return range(size)
    hashes = uniform(np.zeros(1, dtype=np.uint64), size)[0]
    return np.sort(np.argsort(hashes, kind="stable")[:count]).tolist()


def longest_first(indices: Sequence[int], lengths: np.ndarray) -> Sequence[int]:
    """Indices by descending length, so that a batch that does not fit into memory shows at once."""
    chosen = np.asarray(indices)
    return chosen[np.argsort(-lengths[chosen], kind="stable")].tolist()
