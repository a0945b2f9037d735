"""Images with one label each: where they come from, and what is done to them before a model sees them."""

from .augmentation import Augmentation
from .data import ImageData
from .files import ImageFolder
from .glyphs import Glyphs
from .hub import HubImages
from .sources import CIFAR10, CIFAR100, MNIST, Digits, FashionMNIST

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
]
