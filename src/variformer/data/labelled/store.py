"""Checked examples on disk, each in its split: what tokenizers are trained on and views are made from."""

import hashlib
import json
import logging
from collections import Counter
from collections.abc import Iterable, Mapping
from contextlib import ExitStack
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from ..contracts import SPLITS, Split
from ..text.store import assign_splits, points_of
from .checking import Checker
from .example import FIELDS, Example, ExampleSource
from .ragged import RaggedFile
from .rows import NAME, StoredRows, kept_bytes

log = logging.getLogger(__name__)

# Shapes: N rows of all splits.

VERSION = 1  # part of the fingerprint: count up whenever other rows, or other splits, are kept
MOST_NAMES = 1000  # of classes that are found without being asked for
_INPUTS = ("text", "pair", "tokens", "question", "context", "source")
_LABELS = ("label", "tags")
_TRAIN, _NONE = 0, 255  # the training split; that of a row that is left out


class Written(NamedTuple):
    """What is known of the rows: (N,) each."""

    splits: np.ndarray  # indices of the splits that the source gives
    inputs: np.ndarray  # 16 bytes, equal for equal inputs
    labels: np.ndarray  # 8 bytes, equal for equal labels
    groups: np.ndarray  # 16 bytes, equal for rows that stay together


class ExampleStore:
    """The rows of one source, memory-mapped, and counts of them."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.splits = np.load(folder / "splits.npy")
        self.counts: dict[str, Any] = json.loads((folder / "meta.json").read_text())

    def rows(self, split: Split) -> StoredRows:
        indices = np.flatnonzero(self.splits == SPLITS.index(split))
        return StoredRows.open(self.folder, self.counts["fields"], indices)


def write_store(folder: Path, source: ExampleSource, checker: Checker, validation: float, test: float) -> None:
    """Check every example of a source, cut the splits that it does not give, and write all to an empty folder.

    A split depends on an example's inputs or group alone, never on its label. An input that two given splits have stays
    in the later one of train, val and test.

    Raises ValueError if no usable training example is left of a source that gives a training split.
    """
    given = source.read()
    written = _write_rows(folder, given, checker)
    if "train" in given and _TRAIN not in written.splits:
        raise ValueError(f"no training row is left of {source}; {checker.summary() or 'it has none'}")
    if checker.skipped:
        log.warning(checker.summary())
    if checker.moved:
        log.warning("%d answers stood elsewhere in their context, and were moved there", checker.moved)
    splits = written.splits.copy()
    ours = splits == _TRAIN
    wanted = (0.0 if "val" in given else validation, 0.0 if "test" in given else test)
    if ours.any():
        splits[ours] = assign_splits(points_of(written.groups)[ours], *wanted)
    inputs = np.unique(written.inputs, return_inverse=True)[1]
    leaks = _leaks(inputs, splits)
    if "train" in given and not np.any((splits == _TRAIN) & ~leaks):
        raise ValueError(f"no training row is left of {source}: the other splits have all of their inputs")
    repeated = _repeated(folder, inputs, written.labels, splits, leaks)
    splits[leaks] = _NONE
    np.save(folder / "splits.npy", splits)
    fields = sorted(path.stem for path in folder.glob("*.bin") if path.stem != NAME)
    counts = {"skipped": dict(checker.skipped), "moved_answers": checker.moved, **repeated, "first": checker.first}
    counts |= {"fields": fields, "class_names": source.class_names()}
    (folder / "meta.json").write_text(json.dumps(counts | {"labels": _label_counts(folder, fields, splits)}, indent=2))


def _write_rows(folder: Path, given: Mapping[Split, Iterable[Example]], checker: Checker) -> Written:
    splits, inputs, labels, groups = bytearray(), bytearray(), bytearray(), bytearray()
    digest = cache(_digest)  # of groups: many rows share one
    with ExitStack() as stack:
        files = {name: stack.enter_context(RaggedFile(folder / name, np.uint8)) for name in (*FIELDS, NAME)}
        for split, examples in given.items():
            for example in checker.usable(examples):
                for name in FIELDS:
                    kept = kept_bytes(name, example.fields[name]) if name in example.fields else b""
                    files[name].add(np.frombuffer(kept, np.uint8))
                files[NAME].add(np.frombuffer(example.name.encode(errors="replace"), np.uint8))
                read = _digest(_joined(example, _INPUTS))
                group = example.group or example.fields.get("context")
                splits.append(SPLITS.index(split))
                inputs += read
                labels += _digest(_joined(example, _LABELS))[:8]
                groups += read if group is None else digest(group)
    for name, file in files.items():
        if not file.total and name != NAME:
            file.remove()
    return Written(
        np.frombuffer(splits, np.uint8),
        np.frombuffer(inputs, "S16"),
        np.frombuffer(labels, np.uint64),
        np.frombuffer(groups, "S16"),
    )


def _joined(example: Example, fields: tuple[str, ...]) -> str:
    return json.dumps([example.fields.get(field) for field in fields])


def _digest(text: str) -> bytes:
    return hashlib.sha1(text.encode(errors="surrogatepass")).digest()[:16]


def _leaks(inputs: np.ndarray, splits: np.ndarray) -> np.ndarray:
    """(N,) True for a row whose input is in a later split too."""
    found = np.zeros(len(inputs), dtype=bool)
    for early in range(len(SPLITS)):
        found |= (splits == early) & np.isin(inputs, inputs[splits > early])
    return found


def _repeated(
    folder: Path, inputs: np.ndarray, labels: np.ndarray, splits: np.ndarray, leaks: np.ndarray
) -> dict[str, int]:
    """Counts of rows whose input occurs more than once; each kind gets a warning that names one."""
    pairs = np.unique(np.stack([inputs.astype(np.uint64), labels]), axis=1)[0]
    several, times = np.unique(pairs, return_counts=True)
    differ = np.isin(inputs, several[times > 1]) & ~leaks
    within = sum(int((splits == s).sum() - len(np.unique(inputs[splits == s]))) for s in range(len(SPLITS)))
    name = StoredRows.open(folder, (), np.arange(len(inputs))).name
    if leaks.any():
        log.warning(
            "%d rows were left out, because a later one of train, val and test has the same input (first: %s)",
            *(leaks.sum(), name(int(np.argmax(leaks)))),
        )
    if differ.any():
        log.warning(
            "%d rows have the same input as others but another label (first: %s)",
            *(differ.sum(), name(int(np.argmax(differ)))),
        )
    return {"repeated": within, "in_two_splits": int(leaks.sum()), "contradictory": int(differ.sum())}


def _label_counts(folder: Path, fields: list[str], splits: np.ndarray) -> dict[str, dict[str, int]] | None:
    """How often each split has each label, or tag; None where there are none, or more than `MOST_NAMES`."""
    named = [field for field in _LABELS if field in fields]
    if len(named) != 1:
        return None
    counts: dict[str, dict[str, int]] = {}
    for number, split in enumerate(SPLITS):
        rows = StoredRows.open(folder, named, np.flatnonzero(splits == number))
        found = Counter(name for index in range(len(rows)) for name in _names(rows.value(named[0], index)) if name)
        if len(found) > MOST_NAMES:
            return None
        counts[split] = dict(sorted(found.items()))
    return counts


def _names(value: str | list[str]) -> list[str]:
    return [value] if isinstance(value, str) else value
