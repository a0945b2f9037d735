"""The images of one split, as a source stores them."""

import copy
import hashlib
from typing import Self

import numpy as np
from torch import Tensor

# Shapes: N images, C channels, H height, W width.


class BadImage(ValueError):
    """An image that cannot be read, or has no valid label."""


class RawImages:
    """The images of one split, as stored. A subclass reads one of them; `rows` says where each lies."""

    def __init__(self, labels: np.ndarray):
        self.labels = np.asarray(labels, dtype=np.int64)
        self.rows = np.arange(len(self.labels))
        self.digests: dict[int, bytes] = {}  # by row; shared by all that are taken from the same images

    def __len__(self) -> int:
        return len(self.rows)

    def take(self, chosen: np.ndarray) -> Self:
        """The images at these positions; what is stored is shared, not copied."""
        taken = copy.copy(self)
        taken.labels, taken.rows = self.labels[chosen], self.rows[chosen]
        return taken

    def name(self, index: int) -> str:
        """What the image is called; the same on every machine."""
        raise NotImplementedError

    def content(self, index: int) -> bytes:
        """The image as stored. Raises BadImage where there is none."""
        raise NotImplementedError

    def pixels(self, index: int) -> Tensor:
        """(C, H, W) uint8, C 1 or 3. Raises BadImage."""
        raise NotImplementedError

    def keys(self) -> np.ndarray | None:
        """(N,) a cheap number that is the same for equal images; None: there is no such number."""
        return None

    def digest(self, index: int) -> bytes | None:
        """A hash of the image as stored, remembered; None where it cannot be read."""
        row = int(self.rows[index])
        if row not in self.digests:
            try:
                self.digests[row] = hashlib.sha256(self.content(index)).digest()
            except BadImage:
                return None
        return self.digests[row]

    def fingerprint(self) -> str:
        """A hash of all labels and names and of 64 images: cheap, and it sees any change of order."""
        digest = hashlib.sha256(self.labels.tobytes())
        for index in range(len(self)):
            digest.update(self.name(index).encode(errors="surrogateescape") + b"\0")
        for index in np.unique(np.linspace(0, len(self) - 1, num=min(64, len(self))).astype(int)):
            try:
                digest.update(self.content(int(index)))
            except BadImage:
                digest.update(b"bad")
        return digest.hexdigest()


class DecodedImages(RawImages):
    """Images in memory: (N, C, H, W) uint8."""

    def __init__(self, pixels: Tensor, labels: np.ndarray, origin: str):
        super().__init__(labels)
        self.decoded = pixels
        self.origin = origin

    def name(self, index: int) -> str:
        return f"{self.origin} {self.rows[index]}"

    def keys(self) -> np.ndarray:
        return self.decoded.flatten(1).sum(1).numpy()[self.rows]

    def content(self, index: int) -> bytes:
        return self.pixels(index).numpy().tobytes()

    def pixels(self, index: int) -> Tensor:
        return self.decoded[self.rows[index]]
