"""Where images come from: the splits of a source as stored, and the sources that fit into memory."""

import copy
import hashlib
from collections.abc import Sequence
from pathlib import Path
from typing import ClassVar, Protocol, Self

import numpy as np
import torch
from torch import Tensor

from ...paths import LocalPath
from ...ranges import UnderHalf
from ..cache import cache_folder, make_folder, one_at_a_time
from ..sources import Split

__all__ = ["CIFAR10", "CIFAR100", "MNIST", "Digits", "FashionMNIST", "ImageSource"]

MANY = 100_000  # images, of which more take too long to compare at every start

# Shapes: N images, C channels, H height, W width.


class BadImage(ValueError):
    """An image that cannot be read, or whose label means nothing."""


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
        """(N,) a number that equal images share, cheap to know; None where there is none."""
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


class ImageSource(Protocol):
    def read(self) -> dict[Split, RawImages]:
        """All three splits; downloads what is missing."""
        ...


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


def firsts(parts: Sequence[RawImages], thorough: bool = False) -> np.ndarray | None:
    """(N,) of all images of the parts in a row: the position of the first that is the same, mostly an image's own.

    Two images are the same where they are stored with the same bytes. None where all images would have to be read to
    know, or more than MANY of them compared: only a `thorough` search does that.
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
        part, index = place(parts, position)
        if (digest := parts[part].digest(index)) is not None:
            found[position] = seen.setdefault(digest, position)
    return found


def place(parts: Sequence[RawImages], position: int) -> tuple[int, int]:
    """(part, index in it) of a position in all parts in a row."""
    ends = np.cumsum([len(part) for part in parts])
    part = int(np.searchsorted(ends, position, side="right"))
    return part, position - int(ends[part]) + len(parts[part])


def split_off(images: RawImages, sizes: Sequence[int]) -> list[RawImages]:
    """Parts of the given sizes, and first what is left; in each part every class has its share.

    Which image goes where depends on names alone, not on the order of the list, which usually goes by class. What is
    the same as another image goes with it, so that no part holds a copy of what another one holds.
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
    """(N,) positions in an order of which any stretch holds the classes in proportion."""
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
    """All three splits, where each one not given is the share `held_out` of the training images."""
    if not 0 < held_out < 0.5:
        raise ValueError(f"held_out is a share of the training images in (0, 0.5), not {held_out}")
    size = max(1, round(held_out * len(train)))
    missing = [part for part in (validation, test) if part is None]
    train, *parts = split_off(train, [size] * len(missing))
    return {
        "train": train,
        "val": parts.pop(0) if validation is None else validation,
        "test": parts.pop(0) if test is None else test,
    }


class Digits:
    """1,797 handwritten digits of 8 x 8 grey pixels, which come with scikit-learn (Alpaydin, Kaynak, 1998).

    https://archive.ics.uci.edu/dataset/80. 1,347 images to train on, 200 to validate, 250 to test.
    """

    def read(self) -> dict[Split, RawImages]:
        from sklearn.datasets import load_digits

        digits = load_digits()
        pixels = torch.from_numpy(np.rint(digits.images * (255 / 16)).astype(np.uint8))  # stored as 0 to 16
        train, validation, test = split_off(DecodedImages(pixels[:, None], digits.target, "digit"), [200, 250])
        return {"train": train, "val": validation, "test": test}


class _Torchvision:
    """A dataset that torchvision downloads, kept decoded in memory.

    root: the folder it is kept in; by default torchvision/ in $VARIFORMER_CACHE or ~/.cache/variformer
    download: fetch what is not there
    held_out: the share of the training images that becomes the validation split
    """

    dataset: ClassVar[str]

    def __init__(self, root: LocalPath | None = None, download: bool = True, held_out: UnderHalf = 0.1):
        self.root = Path(root).expanduser() if root else cache_folder() / "torchvision"
        self.download = download
        self.held_out = held_out

    def read(self) -> dict[Split, RawImages]:
        return complete(self._load(train=True), None, self._load(train=False), self.held_out)

    def _load(self, train: bool) -> RawImages:
        import torchvision.datasets

        kind = getattr(torchvision.datasets, self.dataset)
        if self.download:
            make_folder(self.root, "VARIFORMER_CACHE (or data.source.root)")
        try:
            with one_at_a_time(self.root / self.dataset):
                stored = kind(self.root, train=train, download=self.download)
        except (RuntimeError, OSError) as problem:
            attempt = "could not be downloaded" if self.download else "download is false"
            raise FileNotFoundError(
                f"{self.dataset} is not complete in {self.root}, and {attempt}. Copy it there from a machine "
                f"that has it, or give data.source.root the folder that holds it. ({problem})"
            ) from problem
        pixels = torch.as_tensor(stored.data)
        pixels = pixels[:, None] if pixels.ndim == 3 else pixels.permute(0, 3, 1, 2).contiguous()
        origin = f"{self.dataset} {'train' if train else 'test'}"
        return DecodedImages(pixels, np.asarray(stored.targets), origin)


class CIFAR10(_Torchvision):
    """60,000 colour photographs of 32 x 32 pixels in 10 classes (Krizhevsky, 2009)."""

    dataset = "CIFAR10"


class CIFAR100(_Torchvision):
    """60,000 colour photographs of 32 x 32 pixels in 100 classes (Krizhevsky, 2009)."""

    dataset = "CIFAR100"


class MNIST(_Torchvision):
    """70,000 handwritten digits of 28 x 28 grey pixels (LeCun et al., 1998)."""

    dataset = "MNIST"


class FashionMNIST(_Torchvision):
    """70,000 articles of clothing of 28 x 28 grey pixels in 10 classes (Xiao et al., 2017)."""

    dataset = "FashionMNIST"
