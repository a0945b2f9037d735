"""Which images are the same, by the bytes that are stored."""

from collections.abc import Sequence

import numpy as np

from .raw import RawImages

MANY = 100_000  # images; comparing more takes too long at every start

# Shapes: N images.


def firsts(parts: Sequence[RawImages], thorough: bool = False) -> np.ndarray | None:
    """(N,) for each image of all parts in a row: the position of the first image that is the same; mostly its own.

    Two images are the same if they are stored with the same bytes. None: to know this, all images would have to be
    read, or more than MANY of them compared, which only a `thorough` search does.
    """
    keys = [part.keys() for part in parts] if thorough or sum(map(len, parts)) <= MANY else [None]
    known = [each for each in keys if each is not None]
    if len(known) < len(keys):
        if not thorough:
            return None
        known = [np.zeros(sum(map(len, parts)))]
    _, inverse, counts = np.unique(np.concatenate(known), return_inverse=True, return_counts=True)
    found, seen = np.arange(len(inverse)), dict[bytes, int]()
    for position in np.flatnonzero(counts[inverse] > 1).tolist():
        part, index = part_and_index(parts, position)
        if (digest := parts[part].digest(index)) is not None:
            found[position] = seen.setdefault(digest, position)
    return found


def part_and_index(parts: Sequence[RawImages], position: int) -> tuple[int, int]:
    """(part, index in it) of a position in all parts in a row."""
    ends = np.cumsum([len(part) for part in parts])
    part = int(np.searchsorted(ends, position, side="right"))
    return part, position - int(ends[part]) + len(parts[part])
