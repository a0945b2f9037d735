import warnings

import numpy as np
import pytest
import torch
from PIL import Image

from variformer.data.images.augmentation import Augmentation
from variformer.data.images.data import ImageData
from variformer.data.images.files import ImageFolder
from variformer.data.images.raw import BadImage, DecodedImages
from variformer.data.images.sources import Digits
from variformer.objectives.image_classification import NO_LABEL

DIGITS = {"image_size": 8, "channels": 1, "classes": 10, "mean": (0.3056,), "std": (0.3760,)}


class Numbered:
    """Splits of grey images, each of the brightness of its position."""

    def __init__(self, labels: list[int]):
        self.labels = labels

    def read(self):
        pixels = torch.arange(len(self.labels), dtype=torch.uint8)[:, None, None, None].expand(-1, 1, 4, 4)
        return {name: DecodedImages(pixels, np.array(self.labels), name) for name in ("train", "val", "test")}


def numbered(labels, **options) -> ImageData:
    settings = {"image_size": 4, "channels": 1, "classes": 3, "mean": [0.0], "std": [1 / 255]}
    return ImageData(Numbered(labels), **{**settings, **options})


def position(sample) -> int:
    return round(float(sample["image"].mean()))


@pytest.fixture
def folder(tmp_path):
    for name in ("cat", "dog"):
        (tmp_path / name).mkdir()
        for index in range(20):
            pixels = np.random.default_rng(index).integers(0, 256, (9, 12, 3), dtype=np.uint8)
            Image.fromarray(pixels).save(tmp_path / name / f"{index}.png")
    return tmp_path


def photographs(folder, **options) -> ImageData:
    return ImageData(ImageFolder(str(folder)), **{"image_size": 8, "channels": 3, "classes": 2, **options})


def damage(folder, data: ImageData, positions: list[int]) -> list[str]:
    names = [data.split("train").images.name(index) for index in positions]
    for name in names:
        (folder / name).write_bytes((folder / name).read_bytes()[:60])
    return names


def test_training_is_augmented_by_the_key_and_evaluation_is_not():
    data = ImageData(Digits(), **DIGITS, augmentation=Augmentation(rotate=15.0, shift=0.2))
    train, validation = data.split("train"), data.split("val")
    for index in (0, 700, 1346):
        same, again, other = (train.sample(index, key) for key in (5, 5, 6))
        assert torch.equal(same["image"], again["image"]) and not torch.equal(same["image"], other["image"])
        assert same["label"] == other["label"] == train.images.labels[index]
    assert torch.equal(validation.sample(3, 5)["image"], validation.sample(3, 6)["image"])


def test_digits_are_normalised():
    view = ImageData(Digits(), **DIGITS).split("train")
    pixels = torch.stack([view.sample(index, 0)["image"] for index in range(len(view))])
    assert pixels.shape == (1347, 1, 8, 8) and pixels.dtype == torch.float32
    assert abs(pixels.mean()) < 1e-3 and abs(pixels.std() - 1) < 1e-3


def test_preparing_good_data_reports_it():
    data = ImageData(Digits(), **DIGITS, verify=True)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        data.prepare()
    assert data.report == {
        "train": {"images": 1347, "bad": 0, "duplicates": 0},
        "val": {"images": 200, "bad": 0, "duplicates": 0},
        "test": {"images": 250, "bad": 0, "duplicates": 0},
    }


@pytest.mark.parametrize("label", [-1, 3])
def test_a_label_out_of_range_stops_at_once_and_is_named(label):
    data = numbered([0, 1, label, 2])
    with pytest.raises(BadImage, match=rf"train 2 has label {label}, which is not in 0\.\.2(?s:.*)on_bad=skip"):
        data.prepare()
    with pytest.raises(BadImage, match=f"label {label}"):
        data.split("val").sample(2, 0)
    assert position(data.split("val").sample(1, 0)) == 1


def test_many_problems_are_shortened():
    with pytest.raises(BadImage, match="and 30 more") as caught:
        numbered([7] * 40 + [0, 1, 2]).prepare()
    assert len(str(caught.value).splitlines()) == 12


def test_skipping_takes_the_next_good_image_and_its_label():
    data = numbered([0, 9, 9, 2, 1, 9], on_bad="skip")
    data.prepare()
    view = data.split("train")
    samples = [view.sample(index, 0) for index in range(len(view))]
    assert [position(sample) for sample in samples] == [0, 3, 3, 3, 4, 0]
    assert [sample["label"] for sample in samples] == [0, 2, 2, 2, 1, 0]
    assert data.report["train"]["bad"] == 3


def test_evaluation_leaves_a_bad_image_out():
    data = numbered([0, 9, 9, 2, 1, 9], on_bad="skip")
    for split in ("val", "test"):
        view = data.split(split)
        samples = [view.sample(index, 0) for index in range(len(view))]
        assert [sample["label"] for sample in samples] == [0, NO_LABEL, NO_LABEL, 2, 1, NO_LABEL]
        assert {sample["image"].shape for sample in samples} == {(1, 4, 4)}
        assert data.report[split]["bad"] == 3


def test_a_damaged_file_of_evaluation_is_counted_when_it_is_met(folder):
    data = photographs(folder, on_bad="skip")
    view = data.split("val")
    (folder / view.images.name(1)).write_bytes(b"damaged")
    assert data.report["val"]["bad"] == 0
    with pytest.warns(UserWarning, match=view.images.name(1)):
        assert view.sample(1, 0)["label"] == NO_LABEL
    assert data.report["val"]["bad"] == 1


def test_skipping_everything_is_an_error():
    with pytest.raises(BadImage, match="none of 2 images"):
        numbered([5, 5], on_bad="skip").split("train").sample(1, 0)


def test_too_many_classes_are_pointed_out():
    with pytest.warns(UserWarning, match=r"label 3, 4; is data\.classes=5 right"):
        numbered([0, 1, 2], classes=5).prepare()


def test_a_damaged_file_is_named_when_it_is_read(folder):
    data = photographs(folder)
    names = damage(folder, data, [4])
    data.prepare()  # reads no pixels
    assert data.split("train").sample(3, 0)["image"].shape == (3, 8, 8)
    with (
        pytest.warns(UserWarning),
        pytest.raises(BadImage, match=f"{folder / names[0]} is not a readable image"),
    ):
        data.split("train").sample(4, 0)


def test_verifying_finds_all_damaged_files_before_training(folder):
    data = photographs(folder, verify=True)
    names = damage(folder, data, [0, 4, 5])
    with pytest.raises(BadImage) as caught:
        data.prepare()
    assert all(name in str(caught.value) for name in names)


@pytest.mark.parametrize("verify", [False, True])
def test_a_damaged_file_is_skipped_verified_or_not(folder, verify):
    data = photographs(folder, on_bad="skip", verify=verify)
    damage(folder, data, [4, 5])
    data.prepare()
    view = data.split("train")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        samples = [view.sample(index, 0) for index in range(len(view))]
    assert torch.equal(samples[4]["image"], samples[6]["image"])
    assert torch.equal(samples[5]["image"], samples[6]["image"])
    assert not torch.equal(samples[3]["image"], samples[6]["image"])
    assert data.report["train"]["bad"] == 2


def test_what_has_changed_is_known_by_split():
    before, after = numbered([0, 1, 2]).parts, numbered([0, 2, 1]).parts
    assert set(before) == {"the train images", "the val images", "the test images"}
    assert before["the train images"] != after["the train images"]
    assert before == numbered([0, 1, 2], std=[0.5]).parts


def test_fingerprint_sees_every_setting_and_nothing_else():
    variants = [
        numbered([0, 1, 2]),
        numbered([0, 2, 1]),
        numbered([0, 1, 2], image_size=8),
        numbered([0, 1, 2], std=[0.5]),
        numbered([0, 1, 2], on_bad="skip"),
        numbered([0, 1, 2], centre=0.5),
        numbered([0, 1, 2], augmentation=Augmentation()),
        numbered([0, 1, 2], augmentation=Augmentation(flip=0.5)),
    ]
    assert len({data.fingerprint for data in variants}) == len(variants)
    assert numbered([0, 1, 2]).fingerprint == numbered([0, 1, 2], verify=True).fingerprint


@pytest.mark.parametrize(
    "wrong, message",
    [
        ({"channels": 4}, "channels is 1"),
        ({"mean": (0.5, 0.5)}, "data.mean, data.std need"),
        ({"std": (0.0,)}, "std above 0"),
        ({"on_bad": "ignore"}, "on_bad is error or skip"),
        ({"image_size": 0}, "image_size"),
        ({"centre": 1.5}, "centre"),
    ],
)
def test_settings_that_make_no_sense_are_refused(wrong, message):
    with pytest.raises(ValueError, match=message):
        numbered([0], **wrong)


def test_an_empty_split_is_named():
    with pytest.raises(ValueError, match=r"the train split .* is empty"):
        numbered([]).prepare()


def test_an_unknown_split_is_refused():
    with pytest.raises(ValueError, match="train, val or test, not 'dev'"):
        numbered([0, 1, 2]).split("dev")


def test_workers_and_the_main_process_see_the_same_images():
    data = ImageData(Digits(), **DIGITS, augmentation=Augmentation(rotate=15.0))
    view = data.split("train")

    class Keyed(torch.utils.data.Dataset):
        def __len__(self):
            return 6

        def __getitem__(self, index):
            return view.sample(index, index + 100)["image"]

    here = list(torch.utils.data.DataLoader(Keyed(), batch_size=2))
    there = list(torch.utils.data.DataLoader(Keyed(), batch_size=2, num_workers=2))
    assert all(torch.equal(a, b) for a, b in zip(here, there, strict=True))
