"""What an evaluation keeps of each sample: rows.npz, by which runs are compared."""

import hashlib
import io
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from ..data import DataSet
from ..data.contracts import Split
from ..run_directory.checkpoint_files import digest_of
from ..run_directory.directory import RunDirectory, write_bytes
from ..training.rows import Table

MARKS = ("inputs", "weights")


class Kept(NamedTuple):
    """The rows of a split, and the marks by which samples and weights are recognised."""

    table: Table
    inputs: str
    weights: str


def mark_of(data: DataSet[Any], split: Split, table: Table) -> str:
    """A digest that two tables have in common where each row is of the same sample."""
    samples = getattr(data, "samples_fingerprint", lambda split: data.fingerprint)(split)
    return hashlib.sha256(f"{split} {samples} ".encode() + table.indices.tobytes()).hexdigest()


def write_rows(file: Path, kept: Kept) -> None:
    """Raises OSError where the file cannot be written."""
    file.parent.mkdir(parents=True, exist_ok=True)
    content = io.BytesIO()
    marks = {name: np.array(getattr(kept, name)) for name in MARKS}
    np.savez(content, allow_pickle=False, indices=kept.table.indices, **marks, **kept.table.columns)
    write_bytes(file, content.getvalue())


def read_rows(run: RunDirectory, split: str, checkpoint: str) -> Kept:
    """The rows of the last evaluation.

    Raises FileNotFoundError where there is none, and ValueError where it was one of other weights than the run has now.
    """
    file = run.evaluation_folder(split, checkpoint) / "rows.npz"
    command = f"variformer evaluate run_dir={run.path} split={split} checkpoint={checkpoint}"
    weights = digest_of(run.checkpoint(checkpoint))
    if not file.is_file():
        raise FileNotFoundError(f"{run.path} has no rows of split={split}, checkpoint={checkpoint}: first {command}")
    with np.load(file, allow_pickle=False) as content:
        columns = dict(content)
    marks = {name: str(columns.pop(name)) for name in MARKS}
    if weights != marks["weights"]:
        raise ValueError(f"{file} is of other weights than {checkpoint} has now: again {command}")
    return Kept(Table(columns.pop("indices"), columns), **marks)
