"""What is done to an image before a model sees it, in the terms of Hugging Face's preprocessor_config.json."""

from collections.abc import Mapping
from typing import Any

from ...samples import ImageTransform

Settings = Mapping[str, Any]  # what preprocessor_config.json holds, or the arguments of `ImageData`

BILINEAR, BICUBIC = 2, 3  # as PIL numbers them


def preprocessor(data: Settings) -> dict[str, Any]:
    """The arguments of `ImageData` -> the settings of an image processor that does what its evaluation does."""
    channels, size = data["channels"], data["image_size"]
    mean, std = (list(data[name]) * (channels if len(data[name]) == 1 else 1) for name in ("mean", "std"))
    return {
        "image_processor_type": "ViTImageProcessor",
        "do_convert_rgb": channels == 3,
        "do_resize": True,
        "size": {"shortest_edge": round(size / data["centre"])},
        "resample": BICUBIC,
        "do_center_crop": True,
        "crop_size": {"height": size, "width": size},
        "do_rescale": True,
        "rescale_factor": 1 / 255,
        "do_normalize": True,
        "image_mean": mean,
        "image_std": std,
    }


def transform(settings: Settings) -> ImageTransform:
    """The settings of an image processor -> a torchvision pipeline from a PIL image, or a (C, H, W) tensor of bytes,
    to a (C, H, W) float tensor. Raises ValueError for what is not done here.
    """
    import torch
    from torchvision.transforms import v2

    from .cropping import CentreCrop

    if settings.get("do_pad") or abs(settings.get("rescale_factor", 1 / 255) - 1 / 255) > 1e-6:
        raise ValueError("preprocessor_config.json: do_pad, or a rescale_factor other than 1/255, is not supported")
    grey = len(settings.get("image_mean", "rgb")) == 1
    steps: list[Any] = [v2.Grayscale() if grey else v2.RGB(), v2.ToImage()]
    if settings.get("do_resize", True):
        steps.append(v2.Resize(size_of(settings["size"]), interpolation=interpolation(settings.get("resample"))))
    if settings.get("do_center_crop", False):
        steps.append(CentreCrop(*sides_of(settings["crop_size"])))
    steps.append(v2.ToDtype(torch.float32, scale=settings.get("do_rescale", True)))
    if settings.get("do_normalize", True):
        steps.append(v2.Normalize(settings["image_mean"], settings["image_std"]))
    return v2.Compose([*steps, v2.ToPureTensor()])


def normalisation(settings: Settings) -> dict[str, Any]:
    """The settings of an image processor -> the arguments of `ImageData` that come closest to it."""
    if "image_mean" not in settings:
        return {}
    centre = 1.0
    if settings.get("do_resize", True) and settings.get("do_center_crop", False):
        centre = min(side_of(settings["crop_size"]) / side_of(settings["size"]), 1.0)
    return {"mean": list(settings["image_mean"]), "std": list(settings["image_std"]), "centre": centre}


def size_of(size: int | Mapping[str, int]) -> int | list[int]:
    """A shorter side, or [height, width]; a bare number is a square, as in the first ViT and DeiT files."""
    if isinstance(size, int):
        return [size, size]
    if "height" in size and "width" in size:
        return [size["height"], size["width"]]
    if "shortest_edge" in size and not size.get("longest_edge"):
        return size["shortest_edge"]
    raise ValueError(f"preprocessor_config.json: the size {dict(size)} is not supported, only height and width")


def sides_of(size: int | Mapping[str, int]) -> list[int]:
    """[height, width] of what is cut out."""
    found = size_of(size)
    return [found, found] if isinstance(found, int) else found


def side_of(size: int | Mapping[str, int]) -> int:
    """The shorter side, in pixels."""
    return min(sides_of(size))


def interpolation(resample: int | None) -> Any:
    from torchvision.transforms import v2

    known = {BILINEAR: v2.InterpolationMode.BILINEAR, BICUBIC: v2.InterpolationMode.BICUBIC}
    if resample is not None and resample not in known:
        raise ValueError(f"preprocessor_config.json: resample={resample} is not supported, only 2 and 3")
    return known[BILINEAR if resample is None else resample]
