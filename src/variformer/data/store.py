"""Cleaned documents on disk, each in its split: what tokenizers are trained on and corpora are made from."""

import hashlib
import json
import logging
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from variformer.data.cleaning import Cleaner
from variformer.data.sources import Source, Split

log = logging.getLogger(__name__)

VERSION = 1  # part of the cache's key: count up whenever the files below change
SPLITS: tuple[Split, ...] = ("train", "val", "test")
_TRAIN, _VAL, _TEST = range(3)


class TextStore:
    """The cleaned texts of one source, memory-mapped."""

    def __init__(self, folder: Path) -> None:
        self.offsets = np.load(folder / "offsets.npy")
        self.splits = np.load(folder / "splits.npy")
        meta = json.loads((folder / "meta.json").read_text())
        self.skipped: dict[str, int] = meta["skipped"]
        self._bytes = np.memmap(folder / "texts.bin", dtype=np.uint8, mode="r")

    def texts(self, split: Split) -> "Texts":
        return Texts(self, np.flatnonzero(self.splits == SPLITS.index(split)))

    def __getitem__(self, index: int) -> str:
        return self._bytes[self.offsets[index] : self.offsets[index + 1]].tobytes().decode()


@dataclass(frozen=True)
class Texts:
    """Some of the documents of a store, which may be read more than once."""

    store: TextStore
    indices: np.ndarray

    def __len__(self) -> int:
        return len(self.indices)

    def __iter__(self) -> Iterator[str]:
        return (self.store[index] for index in self.indices)


def write_store(folder: Path, source: Source, cleaner: Cleaner, validation: float, test: float) -> None:
    """Clean every document of a source, cut the splits that it does not give, write all to an empty folder.

    ValueError if no usable training document is left.
    """
    lengths, splits, points = [], [], []
    with open(folder / "texts.bin", "wb") as file:
        for split in source.given:
            for text in cleaner.texts(source.documents(split)):
                file.write(text)
                lengths.append(len(text))
                splits.append(SPLITS.index(split))
                points.append(_point(text))
    if _TRAIN not in splits:
        raise ValueError(f"no training document is left of {source}; {cleaner.summary() or 'it has none'}")
    if cleaner.skipped:
        log.warning(cleaner.summary())
    labels = np.array(splits, dtype=np.uint8)
    ours = labels == _TRAIN
    wanted = (0.0 if "val" in source.given else validation, 0.0 if "test" in source.given else test)
    labels[ours] = assign_splits(np.array(points)[ours], *wanted)
    np.save(folder / "splits.npy", labels)
    np.save(folder / "offsets.npy", np.concatenate([[0], np.cumsum(lengths, dtype=np.int64)]))
    (folder / "meta.json").write_text(
        json.dumps({"skipped": dict(cleaner.skipped), "first": cleaner.examples}, indent=2)
    )


def assign_splits(points: np.ndarray, validation: float, test: float) -> np.ndarray:
    """(N,) points in [0, 1) -> (N,) 0 for training, 1 for validation, 2 for test.

    A document's split depends on its own text alone, so it stays where it is when others come and go, and
    equal documents stay together. Only where that leaves a wanted split empty does the largest split give it
    one.
    """
    splits = np.select([points < validation, points < validation + test], [_VAL, _TEST], _TRAIN)
    for wanted, fraction in ((_TRAIN, 1.0), (_VAL, validation), (_TEST, test)):
        if fraction == 0 or wanted in splits:
            continue
        donor = max(range(3), key=lambda split: len(np.unique(points[splits == split])))
        candidates = np.unique(points[splits == donor])
        if len(candidates) > 1 or wanted == _TRAIN:
            splits[points == (candidates[-1] if wanted == _TRAIN else candidates[0])] = wanted
    return splits


def _point(text: bytes) -> float:
    """A number in [0, 1) that belongs to a text."""
    return int.from_bytes(hashlib.sha1(text).digest()[:6], "big") / 2**48
