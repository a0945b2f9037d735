"""Numbers of each sample are whole and in order for any batches; samples that are seen twice count once."""

from typing import ClassVar

import lightning as L
import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

from variformer.data.loader import loader
from variformer.data.order import BatchPart, EvaluationOrder
from variformer.objectives import Objective, Ratio, Scores
from variformer.training.module import Training
from variformer.training.rows import Rows

SIZE = 10


def in_turn(values) -> float:
    """Their sum, one after the other: `sum` of Python 3.12 rounds otherwise."""
    total = 0.0
    for value in values:
        total += float(value)
    return total


class Numbers:
    def __len__(self) -> int:
        return SIZE

    def sample(self, index: int, key: int) -> dict:
        return {"number": index}


class Sines(Objective):
    """Measures a sum whose bits depend on the order of its terms."""

    monitor, mode = "sum", "max"

    def view(self, data):
        return data

    def collate(self, samples, keys, train):
        return {"numbers": torch.tensor([sample["number"] for sample in samples]), "count": len(samples)}

    def forward(self, model, batch):
        numbers = batch["numbers"]
        sines, count = torch.sin(numbers.float()), torch.tensor(len(numbers))
        rows = None if self.training else {"sine": sines, "number": numbers}
        return Scores(sines.mean(), {"loss": Ratio(sines.sum(), count)}, rows=rows)

    def measure(self, rows):
        return {"sum": in_turn(rows["sine"]), "last": float(rows["number"][-1]), "loss": -1.0}


def validated(objective: Objective, batch: int) -> Training:
    order = EvaluationOrder(range(SIZE), BatchPart(batch))
    off = {"logger": False, "enable_checkpointing": False, "enable_progress_bar": False, "enable_model_summary": False}
    trainer = L.Trainer(accelerator="cpu", devices=1, use_distributed_sampler=False, **off)
    module = Training(nn.Linear(1, 1), objective).eval()
    trainer.validate(module, loader(Numbers(), order, objective.collate, seed=0), verbose=False)
    return module


@pytest.mark.parametrize("batch", [1, 7, 64])
def test_metrics_have_the_same_bits_for_any_batch(batch):
    module = validated(Sines(), batch)
    table, results = module.tables["val"], module.results["val"]
    assert table.indices.tolist() == table.columns["number"].tolist() == list(range(SIZE))
    assert results["sum"] == in_turn(torch.sin(torch.tensor(float(number))) for number in range(SIZE))
    assert results["last"] == SIZE - 1
    assert results["loss"] == pytest.approx(results["sum"] / SIZE, abs=1e-6)  # the ratio's, not what `measure` says
    assert module.rows == {}


def test_a_monitored_metric_that_no_one_gives_is_named():
    class Wrong(Sines):
        monitor = "sun"

    with pytest.raises(ValueError, match=r"objective\.monitor=sun: the validation gives sum, last, loss"):
        validated(Wrong(), batch=4)


def test_an_objective_is_compared_by_a_metric_that_it_lists():
    class Listed(Sines):
        monitors: ClassVar = {"sum": "max", "loss": "min"}

    objective = Listed()
    objective.compare_by(None)
    assert (objective.monitor, objective.mode) == ("sum", "max")
    objective.compare_by("loss")
    assert (objective.monitor, objective.mode) == ("loss", "min")
    with pytest.raises(ValueError, match=r"objective\.monitor=last: Listed compares models by: sum, loss"):
        objective.compare_by("last")


@given(st.permutations(range(SIZE)), st.lists(st.integers(1, SIZE - 1), unique=True), st.sets(st.integers(0, 9)))
def test_rows_come_in_order_without_repeated_samples(indices, cuts, again):
    rows, cuts = Rows(), sorted(cuts)
    for begin, end in zip([0, *cuts], [*cuts, SIZE], strict=True):
        part = [*indices[begin:end], *again]
        batch = {"index": part, "epoch": [0] * (end - begin) + [1] * len(again)}
        column = torch.tensor(part, dtype=torch.bfloat16)
        rows.add({"value": column, "pair": torch.stack([column, -column], 1)}, batch)
    index, columns = rows.gathered()
    assert index.tolist() == columns["value"].tolist() == list(range(SIZE))
    assert columns["value"].dtype == np.float32
    assert columns["pair"].tolist() == [[n, -n] for n in range(SIZE)]


def test_a_column_needs_one_row_for_each_sample():
    with pytest.raises(ValueError, match="'guess' has 3 rows, and the batch 2 samples"):
        Rows().add({"guess": torch.zeros(3)}, {"index": [4, 5], "epoch": [0, 0]})
