"""The samples of one split of images."""

import os
import warnings
from concurrent.futures import ThreadPoolExecutor
from itertools import chain

import torch
from torch import Tensor

from ...objectives.image_classification import NO_LABEL
from ...ranges import Count
from ...samples import ImageSample
from ..contracts import OnBad
from .augmentation import Steps
from .raw import BadImage, RawImages

# Shapes: C channels, S side of the square that the model sees.


class ImageView:
    """One split: sample(index, key) is a pure function, and all its randomness comes from `key`.

    With on_bad="skip", length and order stay the same. In training, the next good image takes the place of a bad one.
    In evaluation, a blank image with the label NO_LABEL does, which no metric counts.
    """

    def __init__(self, images: RawImages, steps: Steps, classes: Count, on_bad: OnBad, train: bool):
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

    def sample(self, index: int, key: int) -> ImageSample:
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

    def _problem(self, index: int) -> str | None:
        """Why an image cannot be decoded; None where it can."""
        try:
            self.images.pixels(index)
        except BadImage as bad:
            return str(bad)
        return None

    def verify(self) -> None:
        """Decode every image once, and note those that are bad."""
        from rich.console import Console
        from rich.progress import track

        starts = range(0, len(self), 1024)  # at a time, because the pool would queue millions at once
        console = Console(force_jupyter=False)  # in a notebook it would ask for ipywidgets
        with ThreadPoolExecutor(os.cpu_count()) as pool:
            for start in track(starts, "verifying images", console=console, transient=True):
                some = range(start, min(start + 1024, len(self)))
                reasons = zip(some, pool.map(self._problem, some), strict=True)
                self.bad |= {index: reason for index, reason in reasons if reason}
