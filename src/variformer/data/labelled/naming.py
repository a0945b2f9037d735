"""What labels mean: the names of classes in an order, or numbers."""

import logging
import math
from collections import Counter
from collections.abc import Iterable, Sequence

import numpy as np

from .rows import Rows
from .store import MOST_NAMES

log = logging.getLogger(__name__)

# Shapes: N rows.

CLASSES = "objective=sequence_classification tells classes apart"


def in_order(names: Iterable[str]) -> tuple[str, ...]:
    """Sorted: as numbers where all of them are numbers."""
    found = list(names)
    numbers = [_number(name) for name in found]
    if all(math.isfinite(number) for number in numbers):
        return tuple(name for _, name in sorted(zip(numbers, found, strict=True)))
    return tuple(sorted(found))


def check_names(names: Sequence[str], counts: dict[str, int]) -> None:
    """Warns of a class with a single training row. Raises ValueError where there are fewer than two classes."""
    if len(names) < 2:
        only = (
            f"all {sum(counts.values())} training labels are {names[0]!r}" if names else "no training row has a label"
        )
        raise ValueError(f"{only}: there is nothing to tell apart. Give rows of at least two classes")
    if single := [name for name in names if counts.get(name) == 1]:
        shown = ", ".join(f"{name}: {counts.get(name, 0)}" for name in names[:20])
        log.warning("%d label(s) have a single training row, such as %r (%s)", len(single), single[0], shown)


def too_many(field: str) -> str:
    return (
        f"the training rows have more than {MOST_NAMES} different {field}s: is this the right column? If so, give all "
        "names by data.labels"
    )


def numbered(rows: Rows, labels: Sequence[str]) -> np.ndarray:
    """(N,) the place of each row's label in `labels`, -1 where it has none; see `unknown_names`."""
    places = {name: place for place, name in enumerate(labels)}
    found = [rows.value("label", index) if "label" in rows.fields else "" for index in range(len(rows))]
    unknown = [(index, name) for index, name in enumerate(found) if name and name not in places]
    if unknown:
        raise ValueError(unknown_names(rows, unknown, labels))
    return np.array([places[name] if name else -1 for name in found], dtype=np.int64)


def unknown_names(rows: Rows, unknown: Sequence[tuple[int, str]], labels: Sequence[str]) -> str:
    """One line for all (row, name) that are not among the labels."""
    index, name = unknown[0]
    counts = Counter(name for _, name in unknown)
    known = ", ".join(labels[:20]) + (", ..." if len(labels) > 20 else "")
    all_ = ", ".join(f"{each} ({count})" for each, count in counts.most_common(20))
    return f"{rows.name(index)}: label {name!r} is none of {known} (data.labels). All such labels, with rows: {all_}"


def values(rows: Rows) -> np.ndarray:
    """(N,) labels as numbers, nan where a row has none. Raises ValueError at a label that is no number."""
    found = np.full(len(rows), np.nan)
    for index in range(len(rows) if "label" in rows.fields else 0):
        label = rows.value("label", index)
        if label:
            found[index] = _number(label)
            if not math.isfinite(found[index]):
                raise ValueError(f"label {label!r} at {rows.name(index)} is no number; {CLASSES}")
    return found


def scale_of(numbers: np.ndarray) -> tuple[float, float]:
    """Mean and standard deviation. Raises ValueError where all numbers are equal."""
    known = numbers[~np.isnan(numbers)]
    if not len(known) or known.min() == known.max():
        raise ValueError(f"all {len(known)} training labels are the same number: there is nothing to predict")
    return float(known.mean()), float(known.std())


def _number(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        return math.nan
