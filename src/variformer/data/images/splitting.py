"""Splits that a source lacks are cut from its training images."""

import hashlib
from collections.abc import Sequence

import numpy as np

from ...ranges import UnderHalf
from ..contracts import Split
from .equal import firsts
from .raw import RawImages

# Shapes: N images.


def split_off(images: RawImages, sizes: Sequence[int]) -> list[RawImages]:
    """First what is left, then parts of the given sizes; all have the classes in the same proportions.

    The part of an image depends only on its name, not on the order of the list, which is usually by class. Equal images
    are in one part, so that no part holds a copy of an image of another.
    """
    if sum(sizes) >= len(images):
        raise ValueError(f"cannot set {sum(sizes)} of {len(images)} images aside; lower held_out")
    order = _spread(images)
    bounds = np.cumsum(sizes, dtype=np.int64)
    number = np.empty(len(images), dtype=np.int64)  # of each image's part
    number[order] = np.searchsorted(bounds, np.arange(len(images)), side="right")
    same = firsts([images])
    number = number if same is None else number[same]
    return [images.take(np.flatnonzero(number == part)) for part in (len(sizes), *range(len(sizes)))]


def _spread(images: RawImages) -> np.ndarray:
    """(N,) positions, in an order of which any stretch has the classes in proportion."""
    names = (images.name(index).encode(errors="surrogateescape") for index in range(len(images)))
    digests = b"".join(hashlib.sha256(name).digest()[:8] for name in names)
    hashes = np.frombuffer(digests, dtype=">u8")
    order = np.lexsort((hashes, images.labels))
    _, counts = np.unique(images.labels, return_counts=True)
    place = np.concatenate([(np.arange(count) + 0.5) / count for count in counts])  # in its class, in (0, 1)
    return order[np.lexsort((hashes[order], place))]


def complete(
    train: RawImages, validation: RawImages | None, test: RawImages | None, held_out: UnderHalf
) -> dict[Split, RawImages]:
    """All three splits. For each one not given, a fraction `held_out` of the training images is set aside."""
    if not 0 < held_out < 0.5:
        raise ValueError(f"held_out is a fraction of the training images in (0, 0.5), not {held_out}")
    size = max(1, round(held_out * len(train)))
    missing = [part for part in (validation, test) if part is None]
    train, *parts = split_off(train, [size] * len(missing))
    return {
        "train": train,
        "val": parts.pop(0) if validation is None else validation,
        "test": parts.pop(0) if test is None else test,
    }
