import errno
import pickle
import struct
from pathlib import Path

import numpy as np
import pytest
import torch

from variformer.data.images.raw import DecodedImages
from variformer.data.images.sources import CIFAR10, MNIST, Digits
from variformer.data.images.splitting import complete, split_off


def images(labels) -> DecodedImages:
    """Each image holds its own position."""
    labels = np.asarray(labels)
    pixels = torch.arange(len(labels), dtype=torch.int64)[:, None, None, None].to(torch.uint8)
    return DecodedImages(pixels, labels, "image")


def names(part) -> set[str]:
    return {part.name(index) for index in range(len(part))}


def test_parts_are_disjoint_complete_and_stratified():
    labels = np.repeat([0, 1, 2], [100, 60, 40])  # ordered by class, as folders are
    train, first, second = split_off(images(labels), [20, 40])
    assert [len(train), len(first), len(second)] == [140, 20, 40]
    assert names(train) | names(first) | names(second) == names(images(labels))
    assert np.array_equal(np.bincount(first.labels), [10, 6, 4])
    assert np.array_equal(np.bincount(second.labels), [20, 12, 8])
    held = {int(name.split()[1]) for name in names(first) if int(name.split()[1]) < 100}
    assert held != set(range(10)) and held != set(range(90, 100))  # not a slice of the class


def test_parts_do_not_depend_on_the_order_of_the_list():
    whole = images(np.repeat([0, 1], 50))
    shuffled = whole.take(np.random.default_rng(0).permutation(100))
    for part, other in zip(split_off(whole, [10, 20]), split_off(shuffled, [10, 20]), strict=True):
        assert names(part) == names(other)


def test_a_part_keeps_image_label_and_name_together():
    labels = np.arange(50) % 5
    for part in split_off(images(labels), [10]):
        for index in range(len(part)):
            position = int(part.pixels(index))
            assert part.labels[index] == labels[position] and part.name(index) == f"image {position}"


def test_splits_that_are_given_are_kept():
    train, validation, test = images(np.arange(40) % 2), images([0, 1]), images([1, 1, 1])
    splits = complete(train, validation, test, 0.1)
    assert [len(splits[name]) for name in ("train", "val", "test")] == [40, 2, 3]
    splits = complete(train, None, test, 0.1)
    assert [len(splits[name]) for name in ("train", "val", "test")] == [36, 4, 3]
    splits = complete(train, None, None, 0.1)
    assert [len(splits[name]) for name in ("train", "val", "test")] == [32, 4, 4]
    assert not names(splits["val"]) & names(splits["test"])


def test_too_few_images_and_a_wrong_share_are_errors():
    with pytest.raises(ValueError, match="held_out"):
        complete(images([0, 1]), None, None, 0.1)
    with pytest.raises(ValueError, match=r"held_out.*0\.7"):
        complete(images(range(10)), None, None, 0.7)


def test_digits_are_all_there_once():
    from sklearn.datasets import load_digits

    splits = Digits().read()
    assert {name: len(part) for name, part in splits.items()} == {"train": 1347, "val": 200, "test": 250}
    assert len(set().union(*(names(part) for part in splits.values()))) == 1797
    assert all(np.ptp(np.bincount(splits[name].labels, minlength=10)) <= 2 for name in ("val", "test"))
    original = load_digits()
    part = splits["val"]
    for index in range(len(part)):
        row = int(part.name(index).split()[1])
        assert part.labels[index] == original.target[row]
        assert np.array_equal(np.rint(part.pixels(index)[0].numpy() * (16 / 255)), original.images[row])


def test_fingerprint_sees_labels_order_and_pixels():
    whole = images(np.arange(30) % 3)
    relabelled, repainted = images(np.arange(30) % 2), images(np.arange(30) % 3)
    repainted.decoded = repainted.decoded + 1
    reordered = whole.take(np.r_[3, 1, 2, 0, 4:30])
    different = [whole, relabelled, repainted, reordered, whole.take(np.arange(29))]
    assert len({part.fingerprint() for part in different}) == 5
    assert whole.fingerprint() == images(np.arange(30) % 3).fingerprint()


def write_mnist(root, count: dict[str, int]) -> dict[str, np.ndarray]:
    folder = root / "MNIST" / "raw"
    folder.mkdir(parents=True)
    written = {}
    for part, number in count.items():
        pixels = np.random.default_rng(number).integers(0, 256, (number, 28, 28), dtype=np.uint8)
        header = struct.pack(">iiii", 2051, number, 28, 28)
        (folder / f"{part}-images-idx3-ubyte").write_bytes(header + pixels.tobytes())
        labels = (np.arange(number) % 10).astype(np.uint8)
        (folder / f"{part}-labels-idx1-ubyte").write_bytes(struct.pack(">ii", 2049, number) + labels.tobytes())
        written[part] = pixels
    return written


def test_mnist_from_files_that_are_there(tmp_path):
    written = write_mnist(tmp_path, {"train": 100, "t10k": 30})
    splits = MNIST(root=str(tmp_path), held_out=0.2).read()
    assert {name: len(part) for name, part in splits.items()} == {"train": 80, "val": 20, "test": 30}
    assert np.array_equal(np.bincount(splits["val"].labels), [2] * 10)
    assert np.array_equal(splits["test"].pixels(4)[0].numpy(), written["t10k"][4])


def test_cifar_is_channels_first(tmp_path, monkeypatch):
    import torchvision.datasets

    folder = tmp_path / CIFAR10.dataset / torchvision.datasets.CIFAR10.base_folder
    folder.mkdir(parents=True)
    pixels = np.random.default_rng(0).integers(0, 256, (20, 3 * 32 * 32), dtype=np.uint8)
    for name in ("data_batch_1", "test_batch"):
        (folder / name).write_bytes(pickle.dumps({"data": pixels, "labels": [0, 1] * 10}))
    (folder / "batches.meta").write_bytes(pickle.dumps({"label_names": ["a", "b"]}))
    kind = torchvision.datasets.CIFAR10
    monkeypatch.setattr(kind, "train_list", [("data_batch_1", None)])  # no checksum
    monkeypatch.setattr(kind, "test_list", [("test_batch", None)])
    monkeypatch.setattr(kind, "meta", {"filename": "batches.meta", "key": "label_names", "md5": None})
    splits = CIFAR10(root=str(tmp_path / CIFAR10.dataset), download=False).read()
    assert np.array_equal(splits["test"].pixels(3).numpy(), pixels[3].reshape(3, 32, 32))


def test_missing_dataset_says_where_it_was_looked_for(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"CIFAR10.*data\.source\.root") as caught:
        CIFAR10(root=str(tmp_path), download=False).read()
    assert str(tmp_path) in str(caught.value)


def test_failed_download_says_so(tmp_path, monkeypatch):
    def unreachable(*arguments, **options):
        raise RuntimeError("no network")

    monkeypatch.setattr("torchvision.datasets.mnist.download_and_extract_archive", unreachable)
    with pytest.raises(FileNotFoundError, match=r"(?s)MNIST.*could not be downloaded.*no network"):
        MNIST(root=str(tmp_path)).read()


def test_default_root_lies_in_the_cache(tmp_path, monkeypatch):
    monkeypatch.setenv("VARIFORMER_CACHE", str(tmp_path))
    assert MNIST().root == tmp_path / "torchvision"


def test_a_read_only_cache_is_named_before_a_download(tmp_path, monkeypatch):
    def refuse(self, *args, **kwargs):
        raise PermissionError(errno.EACCES, "Permission denied", str(self))

    monkeypatch.setattr(Path, "mkdir", refuse)
    with pytest.raises(PermissionError, match=r"VARIFORMER_CACHE \(or data\.source\.root\)") as caught:
        MNIST(root=str(tmp_path / "torchvision")).read()
    assert str(tmp_path) in str(caught.value)
