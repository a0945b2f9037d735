import io

import datasets
import numpy as np
import pytest
from PIL import Image

from variformer.data.images.hub import HubImages
from variformer.data.images.raw import BadImage


def png(seed: int) -> bytes:
    file = io.BytesIO()
    Image.fromarray(np.random.default_rng(seed).integers(0, 256, (6, 5, 3), dtype=np.uint8)).save(file, "png")
    return file.getvalue()


def table(labels, images=None, kind=None):
    images = [{"bytes": png(seed), "path": None} for seed in range(len(labels))] if images is None else images
    kind = kind or datasets.ClassLabel(names=["ant", "bee"])
    features = datasets.Features({"picture": datasets.Image(), "kind": kind})
    return datasets.Dataset.from_dict({"picture": images, "kind": labels}, features=features)


def saved(folder, **splits) -> str:
    datasets.DatasetDict(splits).save_to_disk(str(folder))
    return str(folder)


COLUMNS = {"image_column": "picture", "label_column": "kind"}


def test_a_saved_data_set_gives_its_own_images_and_labels(tmp_path):
    path = saved(tmp_path / "ants", train=table([0, 1] * 20), test=table([1, 0, 1]))
    splits = HubImages(path, test_split="test", **COLUMNS).read()
    assert {name: len(part) for name, part in splits.items()} == {"train": 36, "val": 4, "test": 3}
    assert splits["val"].labels.tolist().count(0) == 2
    assert splits["test"].labels.tolist() == [1, 0, 1]
    for index in range(3):
        expected = np.asarray(Image.open(io.BytesIO(png(index)))).transpose(2, 0, 1)
        assert np.array_equal(splits["test"].pixels(index).numpy(), expected)


def test_a_folder_of_parquet_files_is_read_too(tmp_path):
    table([0, 1] * 10).to_parquet(str(tmp_path / "train.parquet"))
    splits = HubImages(str(tmp_path), **COLUMNS).read()
    assert sum(map(len, splits.values())) == 20
    part = splits["train"]
    row = int(part.name(5).split()[-1])
    assert np.array_equal(part.pixels(5).numpy(), np.asarray(Image.open(io.BytesIO(png(row)))).transpose(2, 0, 1))
    assert part.labels[5] == row % 2


def test_words_are_numbered_alphabetically(tmp_path):
    words = datasets.Value("string")
    path = saved(
        tmp_path / "words",
        train=table(["pig", "cow"] * 10, kind=words),
        test=table(["cow", "pig", "yak", None], kind=words),
    )
    splits = HubImages(path, test_split="test", **COLUMNS).read()
    assert splits["test"].labels.tolist() == [0, 1, -1, -1]


def test_what_is_missing_is_named_with_what_is_there(tmp_path):
    path = saved(tmp_path / "ants", train=table([0, 1] * 10))
    with pytest.raises(ValueError, match="no column 'image'; there are: picture, kind"):
        HubImages(path).read()
    with pytest.raises(ValueError, match=r"no split 'dev'.*train"):
        HubImages(path, validation_split="dev", **COLUMNS).read()
    with pytest.raises(ValueError, match=r"'kind'.*not images"):
        HubImages(path, image_column="kind", label_column="kind").read()
    floats = saved(tmp_path / "floats", train=table([0.5, 1.5] * 5, kind=datasets.Value("float32")))
    with pytest.raises(ValueError, match=r"'kind'.*whole numbers"):
        HubImages(floats, **COLUMNS).read()


def test_an_unknown_name_says_where_it_was_looked_for(tmp_path, monkeypatch):
    def unreachable(*arguments, **options):
        raise ConnectionError("no network")

    monkeypatch.setattr(datasets, "load_dataset", unreachable)
    with pytest.raises(FileNotFoundError, match=r"someone/ants.*cached.*huggingface\.co.*no network"):
        HubImages("someone/ants").read()


def test_damaged_and_missing_images_are_bad_images(tmp_path):
    images = [{"bytes": png(seed), "path": None} for seed in range(20)]
    path = saved(
        tmp_path / "ants",
        train=table([0, 1] * 10),
        test=table([0, 1, 0], images=[images[0], {"bytes": b"junk", "path": None}, None]),
    )
    part = HubImages(path, test_split="test", **COLUMNS).read()["test"]
    assert part.pixels(0).shape == (3, 6, 5)
    with pytest.raises(BadImage, match="test row 1"):
        part.pixels(1)
    with pytest.raises(BadImage, match="test row 2 has no image"):
        part.pixels(2)
    assert part.fingerprint() == part.fingerprint()
