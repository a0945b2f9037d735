"""Letters drawn with the fonts that matplotlib ships: images that every installation can make for itself."""

import hashlib
import string
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np
import torch
from PIL import Image, ImageDraw, ImageFont
from torch import Tensor

from ...ranges import Seed
from ..cache import digest_of
from ..contracts import Split
from .raw import RawImages

__all__ = ["Glyphs"]

# Shapes: S side of an image.

VERSION = 1  # of the recipe: count it up whenever an image gets other pixels
SIDE = 20  # pixels
LETTERS = string.ascii_uppercase
COUNTS: dict[Split, int] = {"train": 320, "val": 40, "test": 40}  # images of each letter
FONTS = (
    *(f"DejaVuSans{style}.ttf" for style in ("", "-Bold", "-Oblique", "-BoldOblique")),
    *(f"DejaVuSansMono{style}.ttf" for style in ("", "-Bold", "-Oblique", "-BoldOblique")),
    *(f"DejaVuSerif{style}.ttf" for style in ("", "-Bold", "-Italic", "-BoldItalic")),
    *(f"STIXGeneral{style}.ttf" for style in ("", "Bol", "Italic", "BolIta")),
    *(f"{name}10.ttf" for name in ("cmr", "cmb", "cmss", "cmti", "cmtt", "cmmi")),
)

# How far a letter is from how its font has it.
TURN = 20  # degrees to either side
SHEAR = 0.2  # to either side
STRETCH = (0.65, 0.95)  # of the image's side, for width and height apart
SHIFT = 1.5  # pixels to either side
CONTRAST = (0.3, 1.0)  # of the range from black to white
NOISE = 0.08  # standard deviation, of the same range
INK = 64  # pixels in which a letter is drawn before it is distorted
FINER = 2  # pixels in which one pixel is drawn, in each direction


class Glyphs:
    """26 capital letters in 22 fonts, 20 x 20 grey pixels: 8,320 images to train on, 1,040 to validate, 1,040 to test.

    Every image has a font, a turn, a shear, a size, a place, a contrast and noise of its own, which follow from
    (seed, split, index). Fonts are the same in all splits. Raises FileNotFoundError if matplotlib lacks its fonts.
    """

    def __init__(self, seed: Seed = 0):
        self.seed = seed

    def read(self) -> dict[Split, RawImages]:
        import matplotlib

        fonts = fonts_in(Path(matplotlib.get_data_path()) / "fonts" / "ttf")
        return {split: DrawnLetters(fonts, self.seed, split) for split in COUNTS}


@dataclass(frozen=True)
class Fonts:
    """Each letter in each font, cut to its ink; `digest` is a hash of the font files."""

    drawn: list[list[Image.Image]]  # by font and letter
    digest: str


@cache
def fonts_in(folder: Path) -> Fonts:
    missing = [name for name in FONTS if not (folder / name).is_file()]
    if missing:
        raise FileNotFoundError(
            f"{folder} lacks {missing[0]}, which data=glyphs draws with; matplotlib from PyPI has it"
        )
    files = [folder / name for name in FONTS]
    digest = hashlib.sha256(b"".join(file.read_bytes() for file in files)).hexdigest()
    return Fonts([[ink_of(font, letter) for letter in LETTERS] for font in map(font_in, files)], digest)


def font_in(path: Path) -> ImageFont.FreeTypeFont:
    return ImageFont.truetype(str(path), INK, layout_engine=ImageFont.Layout.BASIC)  # RAQM is not everywhere


def ink_of(font: ImageFont.FreeTypeFont, letter: str) -> Image.Image:
    """The letter, white on black, without any border."""
    canvas = Image.new("L", (3 * INK, 3 * INK))
    ImageDraw.Draw(canvas).text((INK, INK), letter, fill=255, font=font)
    return canvas.crop(canvas.getbbox())


class DrawnLetters(RawImages):
    """The images of one split, drawn when they are read."""

    def __init__(self, fonts: Fonts, seed: Seed, split: Split):
        super().__init__(np.arange(COUNTS[split] * len(LETTERS)) % len(LETTERS))
        self.fonts, self.seed, self.split = fonts, seed, split

    def name(self, index: int) -> str:
        return f"{self.split} glyph {self.rows[index]}"

    def content(self, index: int) -> bytes:
        return self.pixels(index).numpy().tobytes()

    def pixels(self, index: int) -> Tensor:
        random = np.random.default_rng((self.seed, list(COUNTS).index(self.split), int(self.rows[index])))
        drawn = self.fonts.drawn[random.integers(len(FONTS))][self.labels[index]]
        return torch.from_numpy(lit(distorted(drawn, random), random)[None])

    def fingerprint(self) -> str:
        return digest_of(VERSION, self.fonts.digest, self.seed, super().fingerprint())


def distorted(letter: Image.Image, random: np.random.Generator) -> np.ndarray:
    """(S, S) in [0, 1]: the letter turned, sheared, stretched and moved."""
    side = FINER * SIDE
    turn, shear = np.radians(random.uniform(-TURN, TURN)), random.uniform(-SHEAR, SHEAR)
    stretch, shift = random.uniform(*STRETCH, 2), random.uniform(-SHIFT, SHIFT, 2)
    rotation = np.array([[np.cos(turn), -np.sin(turn)], [np.sin(turn), np.cos(turn)]])
    # From a pixel of the image to one of the letter, as PIL wants it.
    back = rotation @ np.array([[1, shear], [0, 1]]) @ np.diag(1 / stretch) * max(letter.size) / side
    origin = np.array(letter.size) / 2 - back @ (side / 2 + FINER * shift)
    matrix = np.column_stack([back, origin]).ravel().tolist()
    drawn = letter.transform((side, side), Image.Transform.AFFINE, matrix, Image.Resampling.BILINEAR)
    return np.asarray(drawn.reduce(FINER), dtype=np.float32) / 255


def lit(ink: np.ndarray, random: np.random.Generator) -> np.ndarray:
    """(S, S) in [0, 1] -> (S, S) uint8: a brighter letter on a darker ground, with noise."""
    contrast = random.uniform(*CONTRAST)
    dark = random.uniform(0, 1 - contrast)
    seen = dark + contrast * ink + random.normal(0, NOISE, ink.shape)
    return np.rint(255 * seen.clip(0, 1)).astype(np.uint8)
