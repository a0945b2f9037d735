"""Evaluation on several devices counts every sample exactly once."""

from typing import Any

import pytest

from variformer.runs.train import train
from variformer.training.module import Training
from variformer.training.ratios import RatioMetric

COMMON = [
    "experiment=vit",
    "debug=fast",
    "model.width=32",
    "model.hidden=64",
    "max_steps=1",
    "trainer.accelerator=cpu",
    "trainer.progress=false",
]
LEAN = [
    "callbacks.throughput=null",
    "trainer.save_every=null",
    "model.dropout=0",
    "optimizer=adamw",
    "optimizer.eps=0.1",
]


def counted(config: dict[str, Any]) -> tuple[list[int], dict[str, float], list[int], list[int]]:
    """Which samples this process counted in the last validation, the metrics that it got, and of which samples and
    labels the rows are that it measured.
    """
    seen: list[int] = []
    metrics: dict[str, float] = {}
    rows: list[list[int]] = []
    step, finish, update = Training.validation_step, Training.finish, RatioMetric.update
    updates: list[int] = []

    def validation_step(self, batch, index):
        before = len(updates)
        step(self, batch, index)
        if len(updates) > before:
            seen.extend(batch["index"])

    def remember(self, split):
        finish(self, split)
        metrics.update(self.results[split])
        rows[:] = self.tables[split].indices.tolist(), self.tables[split].columns["label"].tolist()

    def note(self, total, count):
        updates.append(1)
        update(self, total, count)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Training, "validation_step", validation_step)
        patch.setattr(Training, "finish", remember)
        patch.setattr(RatioMetric, "update", note)
        train(config)
    return seen, metrics, *rows


@pytest.mark.parametrize(
    "kind, size",
    [
        ("fsdp", ["eval_batch=1", "trainer.validation_samples=3"]),  # the second process has a batch less
        ("ddp", ["eval_batch=1", "trainer.validation_samples=1"]),  # and here none
        ("ddp", ["eval_batch=32", "trainer.validation_samples=null"]),  # the whole split
    ],
)
def test_every_sample_counts_once(kind, size, composed, on_ranks):
    overrides = [*COMMON, *LEAN, *size, "trainer.validate_every=null"]
    ((alone, expected, *rows),) = on_ranks(counted, composed(*overrides), ranks=1)
    ranks = on_ranks(counted, composed(*overrides, f"trainer={kind}", "trainer.devices=2"))
    assert alone == sorted(set(alone)) == rows[0]
    assert sorted(sample for seen, *_ in ranks for sample in seen) == alone
    for _, metrics, *others in ranks:  # not the accuracies: after one step the classes are all but tied
        assert metrics["loss"] == pytest.approx(expected["loss"], rel=1e-6)
        assert others == rows
