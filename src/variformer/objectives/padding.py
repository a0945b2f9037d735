"""Sequences of unequal lengths as one array."""

from collections.abc import Sequence

import numpy as np

# Shapes: B batch, T tokens.


def padded(rows: Sequence[np.ndarray], pad: int, multiple: int = 8, most: int | None = None) -> np.ndarray:
    """B arrays of integers -> (B, T), each filled up with `pad` behind its end.

    T is the length of the longest, rounded up to a `multiple`, which is faster on a GPU, but to `most` at most.
    Raises ValueError where a row is longer than `most`.
    """
    longest = max(map(len, rows))
    if most is not None and longest > most:
        raise ValueError(f"a sequence of {longest} tokens is longer than {most}")
    width = max(-(-longest // multiple), 1) * multiple
    found = np.full((len(rows), width if most is None else min(width, most)), pad, dtype=np.int64)
    for row, filled in zip(rows, found, strict=True):
        filled[: len(row)] = row
    return found
