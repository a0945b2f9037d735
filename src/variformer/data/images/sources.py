"""Data sets of images that fit into memory: one from scikit-learn, and those that torchvision downloads."""

from pathlib import Path
from typing import ClassVar

import numpy as np
import torch

from ...paths import LocalPath
from ...ranges import UnderHalf
from ..cache import cache_folder, make_folder, one_at_a_time
from ..contracts import Source, Split
from .raw import DecodedImages, RawImages
from .splitting import complete, split_off

__all__ = ["CIFAR10", "CIFAR100", "MNIST", "Digits", "FashionMNIST", "ImageSource"]

ImageSource = Source[RawImages]


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
    held_out: the fraction of the training images that becomes the validation split
    """

    dataset: ClassVar[str]

    def __init__(self, root: LocalPath | None = None, download: bool = True, held_out: UnderHalf = 0.1):
        self.root = Path(root).expanduser() if root else cache_folder() / "torchvision"
        self.download = download
        self.held_out = held_out

    def read(self) -> dict[Split, RawImages]:
        return complete(self._download(train=True), None, self._download(train=False), self.held_out)

    def _download(self, train: bool) -> RawImages:
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
