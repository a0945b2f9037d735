"""Numbers of each sample of an evaluation, whole and in order for any batches and devices."""

from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from ..objectives.objective import Batch

# Shapes: N samples of a split, B samples of a batch.


class Table(NamedTuple):
    """The rows of a split, in ascending order of the samples' indices.

    indices: (N,), which sample of the split each row is of
    columns: the numbers by name, (N, ...) each
    """

    indices: np.ndarray
    columns: dict[str, np.ndarray]


class Rows:
    """Collects rows batch by batch, and leaves out samples that only fill up a device's batches."""

    def __init__(self) -> None:
        self.index: list[int] = []
        self.parts: dict[str, list[Tensor]] = {}

    def add(self, rows: dict[str, Tensor], batch: Batch) -> None:
        """Take the rows of one batch. Raises ValueError if a column has not one row for each sample."""
        kept = [place for place, epoch in enumerate(batch["epoch"]) if epoch == 0]
        self.index += [batch["index"][place] for place in kept]
        for name, column in rows.items():
            if len(column) != len(batch["index"]):
                raise ValueError(f"rows: {name!r} has {len(column)} rows, and the batch {len(batch['index'])} samples")
            self.parts.setdefault(name, []).append(column.detach()[kept])  # a copy: the whole may be freed

    def gathered(self) -> Table:
        """The rows of all devices, on each of them. All devices must ask for it together."""
        mine = Table(np.array(self.index, dtype=np.int64), {name: joined(each) for name, each in self.parts.items()})
        tables = [table for table in from_all_devices(mine) if len(table.indices)]
        if not tables:
            return mine
        index = np.concatenate([table.indices for table in tables])
        order = np.argsort(index, kind="stable")
        names = tables[0].columns
        return Table(index[order], {n: np.concatenate([table.columns[n] for table in tables])[order] for n in names})


def joined(parts: list[Tensor]) -> np.ndarray:
    """One column on the CPU, of which 16-bit floats become float32: NumPy has no bfloat16."""
    column = torch.cat(parts)
    return (column.float() if column.is_floating_point() and column.element_size() < 4 else column).cpu().numpy()


def from_all_devices(mine: Table) -> list[Table]:
    """What each device holds, in the order of their ranks."""
    if not (torch.distributed.is_available() and torch.distributed.is_initialized()):
        return [mine]
    gathered: list[Table] = [mine] * torch.distributed.get_world_size()
    torch.distributed.all_gather_object(gathered, mine)
    return gathered
