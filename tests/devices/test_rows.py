"""Rows that several processes hold are the same on each of them, with each sample once."""

import os
from typing import Any

import numpy as np
import pytest
import torch

from variformer.data.order import BatchPart, EvaluationOrder
from variformer.training.rows import Rows


def gathered(size: int, batch: int) -> tuple[list[int], bytes, Any]:
    """This process's part of an evaluation of `size` samples; what is gathered, and a sum of it."""
    rank, world = int(os.environ["LOCAL_RANK"]), int(os.environ["WORLD_SIZE"])
    torch.distributed.init_process_group("gloo", rank=rank, world_size=world)
    try:
        rows = Rows()
        for part in EvaluationOrder(range(size), BatchPart(batch, rank, world)):
            index = [each for _, each in part]
            values = torch.sin(torch.tensor(index, dtype=torch.float64))
            rows.add({"sine": values}, {"epoch": [epoch for epoch, _ in part], "index": index})
        index, columns = rows.gathered()
    finally:
        torch.distributed.destroy_process_group()
    return index.tolist(), columns["sine"].tobytes(), float(np.cumsum(columns["sine"])[-1])


@pytest.mark.parametrize(("ranks", "size", "batch"), [(2, 10, 1), (2, 1, 7), (3, 10, 7), (3, 10, 64)])
def test_all_devices_hold_the_rows_of_one(ranks, size, batch, on_ranks):
    ((index, sines, total),) = on_ranks(gathered, size, 64, ranks=1)
    assert index == list(range(size))
    for found in on_ranks(gathered, size, batch, ranks=ranks):
        assert found == (index, sines, total)
