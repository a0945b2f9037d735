"""The same image more than once in a folder, and what data.on_duplicate makes of it."""

import shutil
import warnings

import numpy as np
import pytest
from PIL import Image

from variformer.data.images.data import ImageData
from variformer.data.images.duplicates import Duplicates
from variformer.data.images.files import ImageFolder
from variformer.data.images.glyphs import Glyphs
from variformer.data.images.raw import DecodedImages
from variformer.data.images.splitting import complete


@pytest.fixture
def folder(tmp_path):
    """Twenty images of two classes, no two of them the same."""
    for number, name in enumerate(("cat", "dog")):
        (tmp_path / "train" / name).mkdir(parents=True)
        for index in range(10):
            pixels = np.random.default_rng((number, index)).integers(0, 256, (6, 6, 3), dtype=np.uint8)
            Image.fromarray(pixels).save(tmp_path / "train" / name / f"{index}.png")
    return tmp_path


@pytest.fixture
def given(folder):
    """With a validation folder, which holds a copy of a training image of another name, and one image of its own."""
    (folder / "val" / "cat").mkdir(parents=True)
    shutil.copy(folder / "train" / "cat" / "3.png", folder / "val" / "cat" / "copy.png")
    Image.fromarray(np.zeros((6, 6, 3), np.uint8)).save(folder / "val" / "cat" / "own.png")
    return folder


def data(folder, **options) -> ImageData:
    source = ImageFolder(str(folder / "train"), str(folder / "val") if (folder / "val").is_dir() else None)
    return ImageData(source, **{"image_size": 6, "channels": 3, "classes": 2, **options})


def names(data: ImageData, split: str) -> list[str]:
    images = data.split(split).images
    return [images.name(index) for index in range(len(images))]


def duplicates(data: ImageData) -> dict[str, int | None]:
    return {name: each["duplicates"] for name, each in data.report.items()}


def test_a_copy_in_another_split_is_reported(given):
    images = data(given)
    with pytest.warns(
        UserWarning, match=r"1 image\(s\) are in two splits.* cat/3.png \(train\) .* cat/copy.png \(val\)"
    ):
        images.prepare()
    assert duplicates(images) == {"train": 1, "val": 0, "test": 0}
    assert "cat/3.png" in names(images, "train")


def test_dropping_leaves_a_copy_out_of_training(given):
    kept, dropped = data(given), data(given, on_duplicate="drop")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        dropped.prepare()
    assert names(dropped, "train") == [name for name in names(kept, "train") if name != "cat/3.png"]
    assert names(dropped, "val") == names(kept, "val") == ["cat/copy.png", "cat/own.png"]
    assert duplicates(dropped) == {"train": 1, "val": 0, "test": 0}
    assert dropped.fingerprint != kept.fingerprint


def test_an_error_names_both_files_and_the_cure(given):
    with pytest.raises(
        ValueError, match=r"(?s)cat/3.png \(train\) is the same image as cat/copy.png.*on_duplicate=drop"
    ):
        data(given, on_duplicate="error").prepare()


@pytest.mark.parametrize("choice", ["keep", "drop", "error"])
def test_images_that_all_differ_are_what_they_were(folder, choice):
    images = data(folder, on_duplicate=choice)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        images.prepare()
    assert images.fingerprint == data(folder).fingerprint
    assert duplicates(images) == {"train": 0, "val": 0, "test": 0}


def test_an_unknown_choice_is_refused(folder):
    with pytest.raises(ValueError, match="on_duplicate is keep, drop or error, not 'skip'"):
        data(folder, on_duplicate="skip")


def test_equal_files_of_a_folder_stay_in_one_split(folder):
    """And in whichever split an image was without copies, it is with them."""
    before = {name: set(names(data(folder), name)) for name in ("train", "val", "test")}
    for path in list((folder / "train").rglob("*.png")):
        shutil.copy(path, path.with_name(f"{path.stem} (2).png"))
    images = data(folder)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        images.prepare()
    for split in before:
        found = names(images, split)
        assert {name.replace(" (2)", "") for name in found} == {name for name in found if "(2)" not in name}
    assert sum(filter(None, duplicates(images).values())) == 20


def decoded(pixels: list[int], origin: str = "x") -> DecodedImages:
    import torch

    images = torch.tensor(pixels, dtype=torch.uint8)[:, None, None, None].expand(-1, 1, 2, 2)
    return DecodedImages(images, np.zeros(len(pixels)), origin)


def test_equal_images_in_memory_stay_in_one_split():
    splits = complete(decoded([*range(30), *range(30)]), None, None, 0.2)
    held = [set(part.decoded[part.rows, 0, 0, 0].tolist()) for part in splits.values()]
    assert not held[0] & held[1] and not held[0] & held[2] and not held[1] & held[2]


def test_the_same_sum_of_pixels_is_not_the_same_image():
    images = decoded([1, 2])
    images.decoded = images.decoded.clone()
    images.decoded[1, 0] = images.decoded.new_tensor([[4, 0], [0, 0]])
    assert Duplicates({"train": images, "val": decoded([5]), "test": decoded([6])}, thorough=False).pairs == []


def test_what_has_to_be_read_is_searched_only_on_demand(monkeypatch):
    splits = Glyphs().read()
    splits = {name: images.take(np.array([0, 1, 0])) for name, images in splits.items()}
    assert Duplicates(splits, thorough=False).count("train") is None
    assert Duplicates(splits, thorough=True).count("train") == 1


def test_large_sets_are_searched_only_on_demand(monkeypatch):
    monkeypatch.setattr("variformer.data.images.equal.MANY", 5)
    splits = {"train": decoded([1, 2, 1, 3]), "val": decoded([1]), "test": decoded([9])}
    assert Duplicates(splits, thorough=False).count("train") is None
    assert Duplicates(splits, thorough=True).count("train") == 2
