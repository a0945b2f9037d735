import shutil
from pathlib import Path

import matplotlib
import numpy as np
import pytest
import torch

from variformer.data.images import glyphs
from variformer.data.images.glyphs import FONTS, LETTERS, Glyphs

SHIPPED = Path(matplotlib.get_data_path()) / "fonts" / "ttf"


def letters(split: str, count: int, seed: int = 0) -> torch.Tensor:
    images = Glyphs(seed).read()[split]
    return torch.stack([images.pixels(index) for index in range(count)])


def test_splits_hold_every_letter_as_often():
    splits = Glyphs().read()
    assert {name: len(images) for name, images in splits.items()} == {"train": 8320, "val": 1040, "test": 1040}
    assert all(np.ptp(np.bincount(images.labels, minlength=26)) == 0 for images in splits.values())


def test_an_image_follows_from_seed_split_and_index_alone():
    first = letters("train", 40)
    assert first.shape == (40, 1, 20, 20) and first.dtype == torch.uint8
    assert torch.equal(first, letters("train", 40))
    for other in (letters("val", 40), letters("test", 40), letters("train", 40, seed=1)):
        assert not any(torch.equal(one, two) for one in first for two in other)


def test_what_is_taken_keeps_image_label_and_name_together():
    images = Glyphs().read()["train"]
    taken = images.take(np.array([30, 7]))
    assert taken.labels.tolist() == [4, 7]  # E, H
    assert torch.equal(taken.pixels(0), images.pixels(30)) and taken.name(1) == images.name(7)


def test_letters_of_one_kind_look_alike():
    """The mean images of all letters, from two splits: each is nearest to its own."""
    splits = Glyphs().read()

    def means(images) -> np.ndarray:
        pixels = np.stack([images.pixels(index).numpy().ravel() for index in range(26 * 40)]).astype(float)
        return np.stack([pixels[images.labels[: len(pixels)] == label].mean(0) for label in range(26)])

    one, two = means(splits["train"]), means(splits["val"])
    nearest = ((one[:, None] - two[None]) ** 2).sum(-1).argmin(1)
    assert (nearest == np.arange(26)).mean() > 0.9


def test_every_letter_of_every_font_is_drawn_in_its_own_way():
    drawn = glyphs.fonts_in(SHIPPED).drawn
    assert [len(font) for font in drawn] == [len(LETTERS)] * len(FONTS)
    contents = {(*image.size, image.tobytes()) for font in drawn for image in font}
    assert len(contents) > 0.95 * len(FONTS) * len(LETTERS)  # a box for a missing letter would be one of many
    assert all(min(image.size) > 5 for font in drawn for image in font)


@pytest.fixture
def copied(tmp_path):
    for name in FONTS:
        shutil.copy(SHIPPED / name, tmp_path / name)
    return tmp_path


def test_fingerprint_follows_fonts_seed_and_recipe(copied, monkeypatch):
    def fingerprint(seed: int = 0) -> str:
        return Glyphs(seed).read()["val"].fingerprint()

    usual, other = fingerprint(), fingerprint(1)
    monkeypatch.setattr(glyphs, "VERSION", glyphs.VERSION + 1)
    newer = fingerprint()
    monkeypatch.undo()
    assert fingerprint() == usual
    with (copied / FONTS[-1]).open("ab") as file:
        file.write(b" ")  # draws the same, and is another file
    changed = glyphs.DrawnLetters(glyphs.fonts_in(copied), 0, "val").fingerprint()
    assert len({usual, other, newer, changed}) == 4


def test_a_matplotlib_without_its_fonts_is_named(copied):
    (copied / "cmr10.ttf").unlink()
    with pytest.raises(FileNotFoundError, match=r"lacks cmr10\.ttf.* matplotlib from PyPI has it"):
        glyphs.fonts_in(copied)
