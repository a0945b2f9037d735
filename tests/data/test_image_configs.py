"""The image configs name what exists: each composes, and its objects can be built."""

from pathlib import Path

import hydra
import pytest
import torch
from omegaconf import OmegaConf

from variformer.data.images.data import ImageData

CONF = Path(__file__).parents[2] / "conf"
NAMES = ["digits", "glyphs", "mnist", "fashion_mnist", "cifar10", "cifar100", "image_folder", "hub_images"]
AUGMENTATIONS = sorted(path.stem for path in (CONF / "data" / "augmentation").glob("*.yaml"))
USERS_OWN = {"image_folder": ["train", "x"], "hub_images": ["path", "x"]}


def built(name: str, augmentation: str | None = None) -> ImageData:
    overrides = [] if augmentation is None else [f"data/augmentation={augmentation}"]
    with hydra.initialize_config_dir(str(CONF), version_base="1.3"):
        config = hydra.compose(f"data/{name}", overrides=overrides).data
    if name in USERS_OWN:
        key, value = USERS_OWN[name]
        config.source[key] = value
        config.classes = 3
    return hydra.utils.instantiate(OmegaConf.to_container(config), _convert_="all")


@pytest.mark.parametrize("name", NAMES)
def test_data_can_be_built(name):
    assert built(name).image_size in (8, 20, 28, 32, 224)


@pytest.mark.parametrize("augmentation", AUGMENTATIONS)
def test_augmentation_is_exchanged_whole(augmentation):
    digits, cifar = built("digits", augmentation), built("cifar10", augmentation)
    assert digits.augmentation.settings() == cifar.augmentation.settings()


@pytest.mark.parametrize("name, within", [("digits", 1e-4), ("glyphs", 5e-3)])
def test_built_in_images_are_normalised_by_their_own_numbers(name, within):
    images = built(name).split("train").images
    pixels = torch.stack([images.pixels(index) for index in range(0, len(images), max(len(images) // 1300, 1))]) / 255
    assert built(name).mean == [pytest.approx(pixels.mean().item(), abs=within)]
    assert built(name).std == [pytest.approx(pixels.std().item(), abs=within)]
