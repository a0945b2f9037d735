"""Fair timing, and tables of it."""

import gc
import os
import statistics
from collections.abc import Callable, Mapping, Sequence
from importlib.metadata import version


def interleave(contenders: Mapping[str, Callable[[], float]], windows: int) -> dict[str, list[float]]:
    """Call each contender's window in turn, A, B, A, B, ...: whatever else slows the machine slows all."""
    results: dict[str, list[float]] = {name: [] for name in contenders}
    for _ in range(windows):
        for name, window in contenders.items():
            gc.collect()  # or one contender pays for another's rubbish
            results[name].append(window())
    return results


def ratio(ours: Sequence[float], theirs: Sequence[float]) -> float:
    """The median of ours / theirs over windows that lay side by side."""
    return statistics.median(a / b for a, b in zip(ours, theirs, strict=True))


def spread(values: Sequence[float]) -> float:
    """Largest minus smallest, as a share of the median."""
    return (max(values) - min(values)) / statistics.median(values)


def machine(*packages: str) -> str:
    """The hardware, how many threads PyTorch uses, and the versions of what takes part."""
    import torch

    from variformer.run_directory.directory import environment

    processor = environment()["hardware"]["cpu"]
    versions = ", ".join(f"{name} {version(name)}" for name in ("torch", *packages))
    return f"{processor}, {os.cpu_count()} cores, {torch.get_num_threads()} threads; {versions}"


def markdown(header: Sequence[str], rows: Sequence[Sequence[object]]) -> str:
    """A table with its first column to the left and the others, which hold numbers, to the right."""
    cells = [[str(cell) for cell in row] for row in [header, *rows]]
    widths = [max(len(row[column]) for row in cells) for column in range(len(header))]
    lines = [
        " | ".join([row[0].ljust(widths[0]), *map(str.rjust, row[1:], widths[1:])])  # type: ignore[arg-type]
        for row in cells
    ]
    rule = " | ".join(["-" * widths[0], *("-" * (width - 1) + ":" for width in widths[1:])])
    return "\n".join(f"| {line} |" for line in [lines[0], rule, *lines[1:]])
