"""Images with one label each: a source, checked, and the splits that a loader reads."""

import hashlib
import json
import warnings
from collections.abc import Iterable, Sequence
from functools import cached_property
from typing import ClassVar

from ...ranges import Count, PartOrAll, Positive, Probability
from ..contracts import SPLITS, OnBad, OnDuplicate, Split, check_choices
from .augmentation import Augmentation, Steps
from .duplicates import Duplicates
from .raw import BadImage, RawImages
from .sources import ImageSource
from .view import ImageView

__all__ = ["ImageData"]

BAD_CURE = "Repair or remove these, correct data.classes, or leave them out by data.on_bad=skip."
DUPLICATE_CURE = "Remove these, or leave them out by data.on_duplicate=drop."


class ImageData:
    """An image data set, ready for a model.

    image_size: side of the square, in pixels, that the model sees
    channels: 1 (grey) or 3 (red, green, blue); images are converted
    augmentation: what happens to training images; None: what happens in evaluation
    mean, std: of each channel, in [0, 1], used to normalise; one number serves all channels
    centre: the fraction of an image's shorter side that is kept in evaluation; 0.875 is usual for photographs
    on_duplicate: what happens to an image that is there more than once, known by its bytes: "keep" counts and reports
        it, where that is cheap (up to 100,000 images, none of the hub's); "drop" leaves it out, first of training;
        "error" stops
    on_bad: "error" stops at an image or label that cannot be used; "skip" takes the next good one in training,
        leaves it out of every metric in evaluation, and counts
    verify: decode every image once in `prepare`, instead of meeting a bad one after hours
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
        on_bad: OnBad = "error",
        on_duplicate: OnDuplicate = "keep",
        verify: bool = False,
    ):
        if channels not in (1, 3):
            raise ValueError(f"data.channels is 1 (grey) or 3 (colour), not {channels}")
        if {len(mean), len(std)} - {1, channels} or min(std) <= 0:
            raise ValueError(f"data.mean, data.std need 1 or {channels} numbers, std above 0: {mean}, {std}")
        check_choices(on_bad, on_duplicate)
        if image_size < 1 or classes < 1 or not 0 < centre <= 1:
            raise ValueError(f"{image_size=}, {classes=}, {centre=}; need sizes >= 1, centre in (0, 1]")
        self.source = source
        self.image_size, self.channels, self.classes = image_size, channels, classes
        self.augmentation = augmentation
        self.mean, self.std, self.centre = mean, std, centre
        self.on_bad, self.on_duplicate, self.verify = on_bad, on_duplicate, verify

    @property
    def described(self) -> "ImageData":
        """What an objective is built with."""
        return self

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
        if name not in SPLITS:
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

    def samples_fingerprint(self, split: Split) -> str:
        """A hash of the raw images of a split and their labels."""
        return self._contents[split]

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
        raw = dict(self.source.read())
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
