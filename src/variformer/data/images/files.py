"""Images in files, with one folder for each class; decoded when they are read."""

import difflib
import io
import os
from pathlib import Path

import numpy as np
import torch
from PIL import Image, ImageOps
from torch import Tensor

from ...paths import LocalPath
from ...ranges import UnderHalf
from ..contracts import Split
from .raw import BadImage, RawImages
from .splitting import complete

__all__ = ["ImageFolder"]

HIDDEN = ("__MACOSX", "@eaDir")  # what macOS and Synology put beside images; others begin with a dot
SUFFIXES = (".jpg", ".jpeg", ".png", ".webp", ".bmp", ".gif", ".tif", ".tiff", ".ppm", ".pgm")


def decode(content: bytes, name: str) -> Tensor:
    """The bytes of an image file -> (C, H, W) uint8, C 1 for a grey image and 3 for any other.

    Turned as its EXIF data say; of 16-bit grey the upper 8 bits. Raises BadImage with `name`, also for more
    than PIL.Image.MAX_IMAGE_PIXELS pixels (a small file can claim any size).
    """
    try:
        with Image.open(io.BytesIO(content)) as image:
            width, height = image.size
            if Image.MAX_IMAGE_PIXELS is not None and width * height > Image.MAX_IMAGE_PIXELS:
                raise ValueError(f"{width} x {height} pixels are more than PIL.Image.MAX_IMAGE_PIXELS")
            if image.mode in ("I", "F"):
                raise ValueError(f"mode {image.mode} has no fixed range of brightness; save it with 8 or 16 bits")
            pixels = _to_array(ImageOps.exif_transpose(image))
    except Exception as problem:  # on damaged files the decoders raise nearly anything
        raise BadImage(f"{name} is not a readable image: {problem}") from problem
    return torch.from_numpy(pixels)


def _to_array(image: Image.Image) -> np.ndarray:
    if image.mode.startswith("I;16"):
        return (np.asarray(image).astype(np.uint16) >> 8).astype(np.uint8)[None]
    if image.mode in ("1", "L", "LA"):
        return np.array(image.convert("L"))[None]
    return np.ascontiguousarray(np.array(image.convert("RGB")).transpose(2, 0, 1))


class ImageFiles(RawImages):
    """Files under a folder, decoded when read."""

    def __init__(self, root: Path, files: list[str], labels: np.ndarray):
        super().__init__(labels)
        self.root = root
        # An array of bytes: workers would copy every page of a list, as counting references writes to it.
        self.files = np.array([os.fsencode(file) for file in files])

    def name(self, index: int) -> str:
        return os.fsdecode(self.files[self.rows[index]])

    def keys(self) -> np.ndarray:
        return np.array([self._size(index) for index in range(len(self))])

    def _size(self, index: int) -> int:
        try:
            return (self.root / self.name(index)).stat().st_size
        except OSError:
            return -1  # said when it is read

    def content(self, index: int) -> bytes:
        try:
            return (self.root / self.name(index)).read_bytes()
        except OSError as problem:
            raise BadImage(f"{self.root / self.name(index)} cannot be read: {problem.strerror}") from problem

    def pixels(self, index: int) -> Tensor:
        return decode(self.content(index), str(self.root / self.name(index)))


class ImageFolder:
    """Folders with one folder of images per class: `train/cat/1.jpg`, `train/dog/7.png`.

    Classes are numbered in the alphabetic order of their folders in `train`.
    validation, test: such folders; for each one not given, a fraction `held_out` of the training images is set aside
    """

    def __init__(
        self,
        train: LocalPath,
        validation: LocalPath | None = None,
        test: LocalPath | None = None,
        held_out: UnderHalf = 0.1,
    ):
        self.train, self.validation, self.test = train, validation, test
        self.held_out = held_out

    def read(self) -> dict[Split, RawImages]:
        classes = _class_folders(_existing_folder(self.train))
        train = _list_images(self.train, classes)
        validation = None if self.validation is None else _list_images(self.validation, classes)
        test = None if self.test is None else _list_images(self.test, classes)
        return complete(train, validation, test, self.held_out)


def _list_images(folder: str, classes: list[str]) -> ImageFiles:
    root = _existing_folder(folder)
    found = _class_folders(root)
    unknown = sorted(set(found) - set(classes))
    if unknown:
        raise ValueError(f"{root} has the class folder {unknown[0]!r}, but training has {enumerate_some(classes)}")
    files: list[str] = []
    labels: list[int] = []
    for name in found:
        inside = sorted(
            path.relative_to(root).as_posix()
            for path in (root / name).rglob("*")
            if path.suffix.lower() in SUFFIXES and not is_hidden(path.relative_to(root))
        )
        if not inside:
            raise ValueError(f"{root / name} holds no image; remove it, or add files ending in {', '.join(SUFFIXES)}")
        files += inside
        labels += [classes.index(name)] * len(inside)
    return ImageFiles(root, files, np.array(labels))


def is_hidden(path: Path) -> bool:
    """Whether a file or any folder on its way is some program's own: thumbnails, checkpoints, a system's notes."""
    return any(part.startswith(".") or part in HIDDEN for part in path.parts)


def _class_folders(root: Path) -> list[str]:
    names = sorted(entry.name for entry in os.scandir(root) if entry.is_dir() and not is_hidden(Path(entry.name)))
    if not names:
        raise ValueError(f"{root} holds no folders; images must lie in one folder per class, like {root}/cat/1.jpg")
    return names


def _existing_folder(folder: str) -> Path:
    """Raises FileNotFoundError with the name that comes nearest."""
    root = Path(folder).expanduser()
    if root.is_dir():
        return root
    if root.exists():
        raise ValueError(f"{root} is a file; an image folder holds one folder of images per class")
    missing = root
    while not missing.parent.exists():
        missing = missing.parent
    names = sorted(entry.name for entry in missing.parent.iterdir() if entry.is_dir())
    near = difflib.get_close_matches(missing.name, names, n=1, cutoff=0.5)
    hint = f"did you mean {missing.parent / near[0]}?" if near else f"{missing.parent} holds {enumerate_some(names)}"
    raise FileNotFoundError(f"{root} does not exist; {hint}")


def enumerate_some(names: list[str]) -> str:
    return ", ".join(names[:12]) + (f", and {len(names) - 12} more" if len(names) > 12 else "") or "nothing"
