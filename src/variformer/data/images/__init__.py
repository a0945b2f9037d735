"""Images with one label each: how does a file or a row of bytes become what a model sees?

A source gives `raw` images: `sources` (downloads), `files`, `hub` and `glyphs`. `splitting` cuts the splits that a
source lacks, `equal` finds images that are the same, and `duplicates` leaves them out. `augmentation` and `cropping`
change an image, `view` gives the samples of a split, and `data` joins all of these. `preprocessing` says what is done
to an image in the terms of Hugging Face's files.
"""

from .augmentation import Augmentation
from .data import ImageData
from .files import ImageFolder
from .glyphs import Glyphs
from .hub import HubImages
from .sources import CIFAR10, CIFAR100, MNIST, Digits, FashionMNIST, ImageSource

__all__ = [
    "CIFAR10",
    "CIFAR100",
    "MNIST",
    "Augmentation",
    "Digits",
    "FashionMNIST",
    "Glyphs",
    "HubImages",
    "ImageData",
    "ImageFolder",
    "ImageSource",
]
