"""Images with one label each: a source, checked, and the splits that a loader reads."""

import hashlib
import json
import os
import warnings
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import cached_property
from itertools import chain
from typing import Any, ClassVar, Literal

import torch
from torch import Tensor

from ...objectives.image_classification import NO_LABEL
from ...ranges import Count, PartOrAll, Positive, Probability
from ..sources import OnDuplicate, Split
from .augmentation import Augmentation, Steps
from .duplicates import Duplicates
from .sources import BadImage, ImageSource, RawImages

__all__ = ["ImageData"]

BAD_CURE = "Repair or remove these, correct data.classes, or leave them out by data.on_bad=skip."
DUPLICATE_CURE = "Remove these, or leave them out by data.on_duplicate=drop."

# Shapes: C channels, S side of the square that the model sees.


class ImageView:
    """One split: sample(index, key) is a pure function, and all its randomness comes from `key`.

    With on_bad="skip" a bad image keeps its place, so that length and order never change: in training the next good one
    stands there, in evaluation a blank one with the label NO_LABEL, which no metric counts.
    """

    def __init__(self, images: RawImages, steps: Steps, classes: Count, on_bad: Literal["error", "skip"], train: bool):
        self.images = images
        self.steps = steps
        self.on_bad, self.train = on_bad, train
        outside = (images.labels < 0) | (images.labels >= classes)
        self.bad = {  # position -> what is wrong; grows as images are read
            index: f"{images.name(index)} has label {images.labels[index]}, which is not in 0..{classes - 1}"
            for index in outside.nonzero()[0].tolist()
        }

    def __len__(self) -> int:
        return len(self.images)

    def sample(self, index: int, key: int) -> dict[str, Any]:
        """{"image": (C, S, S) float, "label": int}"""
        for candidate in chain(range(index, len(self)), range(index)):
            pixels = self._read(candidate)
            if pixels is not None:
                return {"image": self.steps(pixels, key), "label": int(self.images.labels[candidate])}
            if self.on_bad == "error":
                raise BadImage(self.bad[candidate])
            if not self.train:
                return {"image": torch.zeros(self.steps.shape), "label": NO_LABEL}
        raise BadImage(f"none of {len(self)} images is good; the first: {self.bad[0]}")

    def _read(self, index: int) -> Tensor | None:
        """None for a bad image, which is noted."""
        if index not in self.bad:
            try:
                return self.images.pixels(index)
            except BadImage as problem:
                self.bad[index] = str(problem)
                warnings.warn(f"bad image: {problem}", stacklevel=3)
        return None

    def verify(self) -> None:
        """Decode every image once, and note those that are bad."""
        from rich.console import Console
        from rich.progress import track

        def problem(index: int) -> str | None:
            try:
                self.images.pixels(index)
            except BadImage as bad:
                return str(bad)
            return None

        starts = range(0, len(self), 1024)  # at a time, because the pool would queue millions at once
        console = Console(force_jupyter=False)  # in a notebook it would ask for ipywidgets
        with ThreadPoolExecutor(os.cpu_count()) as pool:
            for start in track(starts, "verifying images", console=console, transient=True):
                some = range(start, min(start + 1024, len(self)))
                reasons = zip(some, pool.map(problem, some), strict=True)
                self.bad |= {index: reason for index, reason in reasons if reason}


class ImageData:
    """An image data set, ready for a model.

    image_size: side of the square, in pixels, that the model sees
    channels: 1 (grey) or 3 (red, green, blue); images are converted
    augmentation: what happens to training images; None: what happens in evaluation
    mean, std: of each channel, in [0, 1], used to normalise; one number serves all channels
    centre: the share of an image's shorter side that is kept in evaluation; 0.875 is usual for photographs
    on_duplicate: what happens to an image that is there more than once, known by its bytes: "keep" counts and reports
        it, where that is cheap (up to 100,000 images, none of the hub's); "drop" leaves it out, first of training;
        "error" stops
    on_bad: "error" stops at an image or label that cannot be used; "skip" takes the next good one in training,
        leaves it out of every metric in evaluation, and counts
    verify: decode every image once in `prepare`, instead of meeting a bad one hours later
    """

    holds: ClassVar = "images"

    def __init__(
        self,
        source: ImageSource,
        *,
        image_size: Count,
        channels: Count,
        classes: Count,
        augmentation: Augmentation | None = None,
        mean: Sequence[Probability] = (0.5,),
        std: Sequence[Positive] = (0.5,),
        centre: PartOrAll = 1.0,
        on_bad: Literal["error", "skip"] = "error",
        on_duplicate: OnDuplicate = "keep",
        verify: bool = False,
    ):
        if channels not in (1, 3):
            raise ValueError(f"data.channels is 1 (grey) or 3 (colour), not {channels}")
        if {len(mean), len(std)} - {1, channels} or min(std) <= 0:
            raise ValueError(f"data.mean, data.std need 1 or {channels} numbers, std above 0: {mean}, {std}")
        if on_bad not in ("error", "skip"):
            raise ValueError(f"data.on_bad is error or skip, not {on_bad!r}")
        if on_duplicate not in ("keep", "drop", "error"):
            raise ValueError(f"data.on_duplicate is keep, drop or error, not {on_duplicate!r}")
        if image_size < 1 or classes < 1 or not 0 < centre <= 1:
            raise ValueError(f"{image_size=}, {classes=}, {centre=}; need sizes >= 1, centre in (0, 1]")
        self.source = source
        self.image_size, self.channels, self.classes = image_size, channels, classes
        self.augmentation = augmentation
        self.mean, self.std, self.centre = mean, std, centre
        self.on_bad, self.on_duplicate, self.verify = on_bad, on_duplicate, verify

    def prepare(self) -> None:
        """Fetch and check the data. Raises ValueError with the problems found."""
        for view in self._views.values():
            if self.verify:
                view.verify()
            if view.bad and self.on_bad == "error":
                raise BadImage(_some(view.bad.values(), BAD_CURE))
        self._check_duplicates()
        unseen = sorted(set(range(self.classes)) - set(self._views["train"].images.labels.tolist()))
        if unseen:
            numbers = ", ".join(map(str, unseen[:8]))
            question = f"is data.classes={self.classes} right?"
            warnings.warn(f"no training image has label {numbers}; {question}", stacklevel=2)

    def _check_duplicates(self) -> None:
        _, duplicates = self._raw
        if self.on_duplicate == "error" and duplicates.pairs:
            raise ValueError(_some(duplicates.lines(), DUPLICATE_CURE))
        across = duplicates.across() if self.on_duplicate == "keep" else []
        if across:
            warnings.warn(
                f"{len(across)} image(s) are in two splits, so that metrics are too good, such as {across[0]}; "
                "data.on_duplicate=drop leaves them out of training",
                stacklevel=3,
            )

    def split(self, name: Split) -> ImageView:
        if name not in ("train", "val", "test"):
            raise ValueError(f"a split is train, val or test, not {name!r}")
        return self._views[name]

    @cached_property
    def fingerprint(self) -> str:
        """A hash of all that decides which numbers reach the model."""
        settings = {
            "images": self._contents,
            "shape": [self.image_size, self.channels, self.classes, self.centre],
            "normal": [list(self.mean), list(self.std)],
            "augmentation": self.augmentation and self.augmentation.settings(),
            "on_bad": self.on_bad,
        }
        return hashlib.sha256(json.dumps(settings, sort_keys=True).encode()).hexdigest()

    @property
    def report(self) -> dict[str, dict[str, int | None]]:
        """How many images each split has, and how many of them are known to be bad, or the same as another one.

        With on_duplicate="drop" the latter are those that were left out; None where nothing was looked for.
        """
        duplicates = self._raw[1]
        return {
            name: {"images": len(view), "bad": len(view.bad), "duplicates": duplicates.count(name)}
            for name, view in self._views.items()
        }

    @cached_property
    def _raw(self) -> tuple[dict[Split, RawImages], Duplicates]:
        raw = self.source.read()
        duplicates = Duplicates(raw, thorough=self.on_duplicate != "keep")
        return duplicates.dropped() if self.on_duplicate == "drop" else raw, duplicates

    @property
    def parts(self) -> dict[str, str]:
        """What the fingerprint follows from besides the settings, each with a text that changes whenever it does."""
        return {f"the {name} images": fingerprint[:16] for name, fingerprint in self._contents.items()}

    @cached_property
    def _contents(self) -> dict[Split, str]:
        return {name: view.images.fingerprint() for name, view in self._views.items()}

    @cached_property
    def _views(self) -> dict[Split, ImageView]:
        raw, _ = self._raw
        for name, images in raw.items():
            if not len(images):
                raise ValueError(f"the {name} split of the image data is empty")
        shape = (self.image_size, self.channels, self.mean, self.std, self.centre)
        plain, augmented = Steps(*shape), Steps(*shape, self.augmentation)
        return {
            name: ImageView(
                images,
                augmented if name == "train" else plain,
                self.classes,
                self.on_bad,
                train=name == "train",
            )
            for name, images in raw.items()
        }


def _some(problems: Iterable[str], cure: str) -> str:
    lines = list(problems)
    shown = "\n".join(lines[:10]) + (f"\n... and {len(lines) - 10} more" if len(lines) > 10 else "")
    return f"{shown}\n{cure}"
