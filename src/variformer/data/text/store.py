"""Cleaned documents on disk, each in its split: what tokenizers are trained on and corpora are made from."""

import hashlib
import json
import logging
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from itertools import islice
from pathlib import Path

import numpy as np

from ..contracts import SPLITS, OnDuplicate, Split
from .cleaning import Cleaner
from .document import Document, TextSource
from .duplicates import repeats, summary, superfluous

log = logging.getLogger(__name__)

VERSION = 1  # part of the fingerprint: count up whenever other texts, or other splits, are kept
FORMAT = 2  # only part of the cache's key: count up whenever the same texts are written or reported in another way
_TRAIN, _VAL, _TEST = range(3)
_NONE = 255  # the split of a text that is left out
_DONE = {
    "keep": "on_duplicate=keep keeps them all, drop would keep one of each",
    "drop": "on_duplicate=drop keeps one of each, in test or val where it is there too",
}


class TextStore:
    """The cleaned texts of one source, memory-mapped."""

    def __init__(self, folder: Path) -> None:
        self.offsets = np.load(folder / "offsets.npy")
        self.splits = np.load(folder / "splits.npy")
        meta = json.loads((folder / "meta.json").read_text())
        self.skipped: dict[str, int] = meta["skipped"]
        self.duplicates: dict[str, int] = meta["duplicates"]
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


def write_store(
    folder: Path,
    source: TextSource,
    cleaner: Cleaner,
    validation: float,
    test: float,
    on_duplicate: OnDuplicate = "keep",
) -> None:
    """Clean every document of a source, cut the splits that it does not give, write all to an empty folder.

    Raises ValueError if no usable training document is left, or at duplicates with on_duplicate="error".
    """
    given = source.read()
    lengths, splits, hashes = _write_texts(folder, given, cleaner)
    if _TRAIN not in splits:
        raise ValueError(f"no training document is left of {source}; {cleaner.summary() or 'it has none'}")
    if cleaner.skipped:
        log.warning(cleaner.summary())
    ours = splits == _TRAIN
    wanted = (0.0 if "val" in given else validation, 0.0 if "test" in given else test)
    splits[ours] = assign_splits(points_of(hashes)[ours], *wanted)
    texts = np.unique(hashes, return_inverse=True)[1]
    duplicates = repeats(texts, splits)
    if duplicates:
        _report(summary(duplicates, partial(_name, folder)), on_duplicate)
    if on_duplicate == "drop":
        splits[superfluous(texts, splits)] = _NONE
    if _TRAIN not in splits:
        raise ValueError(f"no training document is left of {source}: the other splits have them all")
    np.save(folder / "splits.npy", splits)
    np.save(folder / "offsets.npy", np.concatenate([[0], np.cumsum(lengths, dtype=np.int64)]))
    counts = {"skipped": dict(cleaner.skipped), "duplicates": {each.kind: each.total for each in duplicates}}
    (folder / "meta.json").write_text(json.dumps({**counts, "first": cleaner.examples}, indent=2))


def _write_texts(
    folder: Path, given: Mapping[Split, Iterable[Document]], cleaner: Cleaner
) -> tuple[list[int], np.ndarray, np.ndarray]:
    """(N,) lengths in bytes, (N,) indices of the given splits, (N,) hashes of 16 bytes."""
    lengths, splits, hashes = [], bytearray(), bytearray()
    with open(folder / "texts.bin", "wb") as file, open(folder / "names.jsonl", "w") as names:
        for split, documents in given.items():
            for name, text in cleaner.texts(documents):
                file.write(text)
                names.write(json.dumps(name) + "\n")
                lengths.append(len(text))
                splits.append(SPLITS.index(split))
                hashes += hashlib.sha1(text).digest()[:16]
    return lengths, np.frombuffer(splits, dtype=np.uint8).copy(), np.frombuffer(hashes, dtype="S16")


def _report(found: str, on_duplicate: OnDuplicate) -> None:
    if on_duplicate == "error":
        raise ValueError(f"{found}; mend the data, or set on_duplicate=drop (or keep)")
    log.warning("%s; %s", found, _DONE[on_duplicate])


def _name(folder: Path, index: int) -> str:
    """Where a document came from."""
    with open(folder / "names.jsonl") as names:
        return json.loads(next(islice(names, index, None)))


def assign_splits(points: np.ndarray, validation: float, test: float) -> np.ndarray:
    """(N,) points in [0, 1) -> (N,) 0 for training, 1 for validation, 2 for test.

    A document's split depends only on its text. So it stays the same when other documents come and go, and equal
    documents are in one split. If a wanted split is empty, the largest split gives it one document.
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


def points_of(hashes: np.ndarray) -> np.ndarray:
    """(N,) hashes of texts -> (N,) numbers in [0, 1), made of the first six bytes of each."""
    first = hashes.view(">u8").reshape(-1, 2)[:, 0]
    return (first >> 16) / 2**48
