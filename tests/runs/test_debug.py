"""The debug presets: each composes with an experiment, runs, and does what its file says."""

import gzip
import json
import os
from pathlib import Path

import pytest
import torch

from variformer.data.order import BatchPart, RepeatedBatch, TrainingOrder
from variformer.layers import FeedForward
from variformer.runs.train import train
from variformer.training.loggers import read_curves
from variformer.training.module import Training

SMALL = ["model.width=32", "model.depth=2", "model.heads=2", "model.hidden=64", "callbacks.throughput=null"]
TEXT = ["experiment=gpt", "tokenizer=bytes", "model.vocab_size=300", "length=32", *SMALL]
IMAGES = ["experiment=vit", "callbacks=default", *SMALL]
FEW = ["max_steps=2", "global_batch=4", "compile=none", "trainer.validate_every=null", "trainer.validation_samples=4"]


def losses(config) -> list[float]:
    rows = read_curves(Path(config["run_dir"]) / "metrics.csv")
    return [value for _, name, value in rows if name == "train/loss"]


@pytest.mark.parametrize(
    "overrides",
    [
        [*TEXT, "optimizer=adamw", "optimizer.lr=5e-3"],
        pytest.param(
            ["experiment=bert", "model.vocab_size=600", "length=32", *SMALL, "optimizer=adamw", "optimizer.lr=5e-3"],
            marks=pytest.mark.slow,
        ),
        [*IMAGES, "objective.label_smoothing=0", "optimizer=adamw", "optimizer.lr=5e-3", "max_steps=100"],
    ],
    ids=["gpt", "bert", "vit"],
)
def test_overfit_learns_one_batch_by_heart(composed, overrides):
    config = composed(*overrides, "debug=overfit")
    train(config)
    values = losses(config)
    assert values[0] > 1 and values[-1] < 0.05, values


def test_without_the_preset_as_many_steps_do_not(composed):
    """The negative control: it is the one batch, not the task, that is easy."""
    config = composed(*TEXT, "optimizer=adamw", "optimizer.lr=5e-3", "debug=overfit", "trainer.one_batch=false")
    train(config)
    assert losses(config)[-1] > 1


def test_one_batch_is_the_same_on_each_device_and_after_a_resume():
    settings = {"seed": 3, "batch": 8, "steps": 4}
    for rank in (0, 1):
        part = BatchPart(2, rank, 2)
        first = list(TrainingOrder(100, part=part, **settings))[:2]
        assert list(RepeatedBatch(100, part=part, **settings)) == first * 4
        assert list(RepeatedBatch(100, part=part, start=24, **settings)) == first


def test_profile_leaves_a_trace_and_prints_a_table(composed, capsys):
    config = composed(*TEXT, "debug=profile", "global_batch=4", "micro_batch=2", "compile=none")
    train(config)
    (trace,) = (Path(config["run_dir"]) / "profile").glob("*.pt.trace.json.gz")
    with gzip.open(trace, "rt") as file:
        events = json.load(file)["traceEvents"]
    names = [event.get("name", "") for event in events]
    steps = {name for name in names if name.startswith("ProfilerStep#")}
    assert steps == {"ProfilerStep#4", "ProfilerStep#5", "ProfilerStep#6"}
    assert sum(name == "aten::cross_entropy_loss" for name in names) == 6  # two micro batches a step
    printed = capsys.readouterr().out
    assert "Self CPU time total" in printed and "aten::" in printed


def test_anomaly_names_the_operation_whose_gradient_is_nan(composed, monkeypatch):
    feed = FeedForward.forward
    monkeypatch.setattr(FeedForward, "forward", lambda self, x: feed(self, x + (x * 0).sqrt()))
    with pytest.raises(RuntimeError, match="MulBackward0' returned nan"):
        train(composed(*TEXT, "debug=anomaly", *FEW))
    assert not torch.is_anomaly_enabled()


def test_anomaly_lets_a_sound_run_be(composed):
    """Also where FLOPs are counted, on tensors without values."""
    counted = [each for each in [*TEXT, *FEW] if each != "callbacks.throughput=null"]
    config = composed(*counted, "debug=anomaly")
    train(config)
    assert "spent/flops" in (Path(config["run_dir"]) / "metrics.csv").read_text()


@pytest.mark.parametrize("preset", [["debug=deterministic"], ["trainer.deterministic=false"]], ids=["on", "off"])
def test_deterministic_refuses_operations_that_are_not(composed, monkeypatch, preset):
    plain, seen = Training.training_step, []

    def training_step(self, batch, index):
        seen.append(
            (torch.are_deterministic_algorithms_enabled(), torch.is_deterministic_algorithms_warn_only_enabled())
        )
        return plain(self, batch, index)

    monkeypatch.setattr(Training, "training_step", training_step)
    monkeypatch.delenv("CUBLAS_WORKSPACE_CONFIG", raising=False)
    config = composed(*TEXT, *preset, *FEW)
    train(config)
    on = preset == ["debug=deterministic"]
    assert set(seen) == {(on, False)}
    assert ("CUBLAS_WORKSPACE_CONFIG" in os.environ) == on


def test_fast_takes_a_few_steps(composed):
    config = composed(*TEXT, "debug=fast")
    train(config)
    assert json.loads((Path(config["run_dir"]) / "metrics.json").read_text())["step"] == 4
