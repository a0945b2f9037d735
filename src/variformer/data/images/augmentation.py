"""Random changes to training images, and the fixed steps that every image goes through."""

from collections.abc import Sequence
from typing import Any, Literal

import torch
from torch import Tensor, nn

from ...ranges import Count, Magnitude, NotNegative, PartOrAll, Positive, Probability, Whole

__all__ = ["Augmentation"]

MOST = 30  # the largest magnitude of torchvision's RandAugment
LATER = {"jitter": 0.0, "operation_probability": 1.0, "erase_with": "mean"}  # settings that came later

# Shapes: C channels, H height, W width, S the side of the image that the model sees.


class Augmentation:
    """What is done to a training image; everything is off by default.

    crop: "none" as in evaluation; "pad" adds `padding` pixels of zeros and cuts a random square out (He et
        al., 2015, section 4.2); "resized" resizes a random part of at least `area` (Szegedy et al., 2014)
    flip: probability of mirroring left and right
    rotate, shift: the furthest turn in degrees, and the furthest move as a fraction of the side
    operations, magnitude: RandAugment (Cubuk et al., 2019): how many operations, and how strong, from 0 to 30
    jitter: standard deviation of the magnitude, a new random number for each operation
    operation_probability: of carrying out each of the operations
    erase: probability of erasing a random box (Zhong et al., 2017)
    erase_with: "mean" fills the box with the mean colour, "noise" with normal noise
    """

    def __init__(
        self,
        *,
        crop: Literal["none", "pad", "resized"] = "none",
        padding: Whole = 4,
        area: PartOrAll = 0.08,
        flip: Probability = 0.0,
        rotate: NotNegative = 0.0,
        shift: Probability = 0.0,
        operations: Whole = 0,
        magnitude: Magnitude = 9,
        jitter: NotNegative = 0.0,
        operation_probability: Probability = 1.0,
        erase: Probability = 0.0,
        erase_with: Literal["mean", "noise"] = "mean",
    ):
        if crop not in ("none", "pad", "resized"):
            raise ValueError(f"crop is none, pad or resized, not {crop!r}")
        _require(0 < area <= 1, f"area is a fraction in (0, 1], not {area}")
        _require(0 <= shift <= 1, f"shift is a fraction of the side in [0, 1], not {shift}")
        _require(0 <= magnitude <= MOST, f"magnitude goes from 0 to {MOST}, not {magnitude}")
        if erase_with not in ("mean", "noise"):
            raise ValueError(f"erase_with is mean or noise, not {erase_with!r}")
        probabilities = {"flip": flip, "erase": erase, "operation_probability": operation_probability}
        for name, value in probabilities.items():
            _require(0 <= value <= 1, f"{name} is a probability in [0, 1], not {value}")
        amounts = {"padding": padding, "rotate": rotate, "operations": operations, "jitter": jitter}
        for name, amount in amounts.items():
            _require(amount >= 0, f"{name} must not be negative, but is {amount}")
        self.crop, self.padding, self.area = crop, padding, area
        self.flip, self.rotate, self.shift = flip, rotate, shift
        self.operations, self.magnitude, self.erase = operations, magnitude, erase
        self.jitter, self.operation_probability, self.erase_with = jitter, operation_probability, erase_with

    def settings(self) -> dict[str, Any]:
        """All settings, without those of LATER that have their defaults: earlier runs have none of these."""
        return {name: value for name, value in vars(self).items() if name not in LATER or value != LATER[name]}

    def fit(self, size: int, centre: float) -> list[nn.Module]:
        """The steps that bring an image to its size."""
        from torchvision.transforms import v2

        from .cropping import CentreCrop

        bicubic = v2.InterpolationMode.BICUBIC
        if self.crop == "resized":
            return [v2.RandomResizedCrop(size, (self.area, 1.0), interpolation=bicubic)]
        return [v2.Resize(round(size / centre), interpolation=bicubic), CentreCrop(size, size)]

    def on_pixels(self, size: int) -> list[nn.Module]:
        """The steps on 8-bit images that have their size."""
        from torchvision.transforms import v2

        steps: list[nn.Module] = []
        if self.crop == "pad":
            steps.append(v2.RandomCrop(size, padding=self.padding))
        if self.flip:
            steps.append(v2.RandomHorizontalFlip(self.flip))
        if self.rotate or self.shift:
            move, smooth = (self.shift, self.shift), v2.InterpolationMode.BILINEAR
            steps.append(v2.RandomAffine(self.rotate, translate=move, interpolation=smooth))
        if self.operations:
            strength = (self.magnitude, self.jitter, self.operation_probability)
            steps += [RandomOperation(*strength) for _ in range(self.operations)]
        return steps

    def on_values(self) -> list[nn.Module]:
        """The steps after normalisation, where zero is the mean colour."""
        from torchvision.transforms import v2

        value = 0.0 if self.erase_with == "mean" else "random"
        return [v2.RandomErasing(self.erase, value=value)] if self.erase else []


class RandomOperation(nn.Module):
    """One operation of RandAugment, with a normally distributed magnitude, cut off at 0 and 30."""

    def __init__(self, magnitude: Magnitude, jitter: NotNegative, probability: Probability):
        super().__init__()
        self.magnitude, self.jitter, self.probability = magnitude, jitter, probability

    def forward(self, image: Tensor) -> Tensor:
        from torchvision.transforms import v2

        if self.probability < 1 and torch.rand(()) >= self.probability:
            return image
        magnitude = float(self.magnitude)
        if self.jitter:
            magnitude += self.jitter * torch.randn(()).item()
        return v2.RandAugment(1, min(max(round(magnitude), 0), MOST))(image)


class Steps:
    """From an image as stored, (1 or 3, H, W) uint8, to what a model sees, (C, S, S) float.

    Without augmentation the image is resized, and the fraction `centre` of its shorter side is cut out.
    """

    def __init__(
        self,
        size: Count,
        channels: Count,
        mean: Sequence[Probability],
        std: Sequence[Positive],
        centre: PartOrAll = 1.0,
        augmentation: Augmentation | None = None,
    ):
        from torchvision.transforms import v2

        augmentation = augmentation or Augmentation()
        self.shape = (channels, size, size)
        self.fit = v2.Compose([v2.RGB() if channels == 3 else v2.Grayscale(), *augmentation.fit(size, centre)])
        self.may_fit_already = augmentation.crop != "resized" and centre == 1
        self.on_pixels, self.on_values = augmentation.on_pixels(size), augmentation.on_values()
        self.mean, self.std = (255 * torch.tensor(values)[:, None, None] for values in (mean, std))

    def __call__(self, image: Tensor, key: int) -> Tensor:
        """A pure function of (image, key)."""
        with torch.random.fork_rng(devices=[]):
            # Not torch.manual_seed: that would reseed the GPU too, and with it the dropout of training.
            torch.default_generator.manual_seed(key)
            if not (self.may_fit_already and image.shape == self.shape):
                image = self.fit(image)
            for step in self.on_pixels:
                image = step(image)
            image = (image - self.mean) / self.std
            for step in self.on_values:
                image = step(image)
        return image


def _require(condition: bool, message: str) -> None:
    if not condition:
        raise ValueError(message)
