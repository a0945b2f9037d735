import io

import numpy as np
import pytest
from PIL import Image

from variformer.data.images.files import ImageFolder, decode
from variformer.data.images.raw import BadImage


def picture(seed: int = 0, size: tuple[int, int] = (6, 5)) -> Image.Image:
    pixels = np.random.default_rng(seed).integers(0, 256, (*size, 3), dtype=np.uint8)
    return Image.fromarray(pixels)


def encoded(image: Image.Image, kind: str = "png", **options) -> bytes:
    file = io.BytesIO()
    image.save(file, kind, **options)
    return file.getvalue()


def make_folder(root, count: dict[str, int]):
    for number, (name, images) in enumerate(count.items()):
        (root / name).mkdir(parents=True)
        for index in range(images):
            picture(100 * number + index).save(root / name / f"{index:03}.png")
    return root


def names(part) -> set[str]:
    return {part.name(index) for index in range(len(part))}


def test_decoding_gives_the_pixels():
    image = picture()
    assert np.array_equal(decode(encoded(image), "x").numpy(), np.asarray(image).transpose(2, 0, 1))
    grey = image.convert("L")
    assert np.array_equal(decode(encoded(grey), "x").numpy(), np.asarray(grey)[None])


@pytest.mark.parametrize(
    "mode, channels", [("1", 1), ("L", 1), ("LA", 1), ("P", 3), ("RGB", 3), ("RGBA", 3), ("CMYK", 3)]
)
def test_every_mode_becomes_grey_or_colour(mode, channels):
    kind = "tiff" if mode == "CMYK" else "png"
    assert decode(encoded(picture().convert(mode), kind), "x").shape == (channels, 6, 5)


def test_sixteen_bits_keep_the_upper_eight():
    values = np.array([[0, 255, 256, 65535]], dtype=np.uint16)
    assert decode(encoded(Image.fromarray(values)), "x").tolist() == [[[0, 0, 1, 255]]]


def test_images_without_a_range_are_refused():
    with pytest.raises(BadImage, match=r"x\.tiff.*mode F"):
        decode(encoded(Image.fromarray(np.ones((2, 2), np.float32)), "tiff"), "x.tiff")


def test_a_photograph_is_turned_as_its_camera_says():
    image = picture()
    exif = Image.Exif()
    exif[0x0112] = 6  # the camera was held upright: turn by 270 degrees
    turned = decode(encoded(image, exif=exif), "x").numpy()
    assert np.array_equal(turned, np.rot90(np.asarray(image), 3).transpose(2, 0, 1))


@pytest.mark.parametrize("damage", [lambda b: b[: len(b) // 2], lambda b: b"", lambda b: b"<html>", lambda b: b[8:]])
def test_damaged_files_are_bad_images(damage):
    with pytest.raises(BadImage, match=r"cats/3\.png"):
        decode(damage(encoded(picture(size=(40, 40)))), "cats/3.png")


@pytest.mark.filterwarnings("ignore::PIL.Image.DecompressionBombWarning")
@pytest.mark.parametrize("limit", [29, 10])  # of 30 pixels; PIL itself only warns up to twice its limit
def test_the_limit_of_pixels_is_kept(monkeypatch, limit):
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", limit)
    with pytest.raises(BadImage, match=r"bomb\.png.*pixels"):
        decode(encoded(picture()), "bomb.png")
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 30)
    assert decode(encoded(picture()), "fine.png").shape == (3, 6, 5)


def test_folder_splits_are_stratified_disjoint_and_no_slice(tmp_path):
    make_folder(tmp_path, {"cat": 40, "dog": 20})
    (tmp_path / "cat" / "notes.txt").write_text("not an image")
    splits = ImageFolder(str(tmp_path)).read()
    assert {name: len(part) for name, part in splits.items()} == {"train": 48, "val": 6, "test": 6}
    assert all(np.array_equal(np.bincount(splits[name].labels), [4, 2]) for name in ("val", "test"))
    everything = [names(part) for part in splits.values()]
    assert len(set().union(*everything)) == sum(map(len, everything)) == 60
    for part in splits.values():
        for index in range(len(part)):
            assert ["cat", "dog"][part.labels[index]] == part.name(index).split("/")[0]
            stored = Image.open(tmp_path / part.name(index))
            assert np.array_equal(part.pixels(index).numpy(), np.asarray(stored).transpose(2, 0, 1))


@pytest.mark.parametrize(
    "hidden", [".ipynb_checkpoints/a.png", ".thumbnails/deep/a.png", "__MACOSX/a.png", "@eaDir/a.png/b.jpg", "._1.jpg"]
)
def test_what_programs_hide_among_images_is_no_image(tmp_path, hidden):
    make_folder(tmp_path, {"cat": 10, "dog": 10})
    before = ImageFolder(str(tmp_path)).read()
    for place in (tmp_path, tmp_path / "cat"):
        copy = place / hidden
        copy.parent.mkdir(parents=True, exist_ok=True)
        picture().save(copy)
    after = ImageFolder(str(tmp_path)).read()
    assert all(names(after[name]) == names(before[name]) for name in before)


def test_a_folder_in_a_hidden_one_holds_images_all_the_same(tmp_path):
    make_folder(tmp_path / ".cache" / "photos", {"cat": 10, "dog": 10})
    assert sum(map(len, ImageFolder(str(tmp_path / ".cache" / "photos")).read().values())) == 20


def test_the_splits_of_a_folder_do_not_depend_on_where_it_lies(tmp_path):
    first = ImageFolder(str(make_folder(tmp_path / "here", {"a": 20, "b": 20}))).read()
    second = ImageFolder(str(make_folder(tmp_path / "there", {"a": 20, "b": 20}))).read()
    assert all(names(first[name]) == names(second[name]) for name in first)
    assert all(first[name].fingerprint() == second[name].fingerprint() for name in first)


def test_given_folders_are_used_and_numbered_as_in_training(tmp_path):
    train = make_folder(tmp_path / "train", {"ant": 10, "bee": 10, "cow": 10})
    validation = make_folder(tmp_path / "val", {"cow": 2, "ant": 1})
    splits = ImageFolder(str(train), validation=str(validation), test=str(validation)).read()
    assert len(splits["train"]) == 30
    assert splits["val"].labels.tolist() == splits["test"].labels.tolist() == [0, 2, 2]


def test_a_missing_folder_names_the_nearest(tmp_path):
    make_folder(tmp_path / "photos" / "train", {"a": 1})
    with pytest.raises(FileNotFoundError, match=r"did you mean .*photos/train"):
        ImageFolder(str(tmp_path / "photos" / "trian")).read()
    with pytest.raises(FileNotFoundError, match=r"did you mean .*/photos\?"):
        ImageFolder(str(tmp_path / "photo" / "train")).read()


def test_folders_of_the_wrong_form_are_explained(tmp_path):
    train = make_folder(tmp_path / "train", {"a": 5, "b": 5})
    other = make_folder(tmp_path / "val", {"a": 1, "c": 1})
    with pytest.raises(ValueError, match=r"'c'.*training has a, b"):
        ImageFolder(str(train), validation=str(other)).read()
    with pytest.raises(ValueError, match="one folder per class"):
        ImageFolder(str(train / "a")).read()
    with pytest.raises(ValueError, match="is a file"):
        ImageFolder(str(train / "a" / "000.png")).read()
    (train / "empty").mkdir()
    with pytest.raises(ValueError, match="empty holds no image"):
        ImageFolder(str(train)).read()


def test_a_file_that_has_gone_is_a_bad_image(tmp_path):
    make_folder(tmp_path, {"a": 10, "b": 10})
    part = ImageFolder(str(tmp_path)).read()["train"]
    (tmp_path / part.name(0)).unlink()
    with pytest.raises(BadImage, match=f"{part.name(0)} cannot be read"):
        part.pixels(0)
