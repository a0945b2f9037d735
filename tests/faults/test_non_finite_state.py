"""Weights, averages, optimizer states and validations that are not finite: never saved, never best, never done."""

import json
import math
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch
from torch import nn

from variformer.run_directory.curves import read_curves
from variformer.runs.train import train
from variformer.training.callbacks import BestCheckpoint, Checkpoints, MovingAverage
from variformer.training.module import Training
from variformer.training.non_finite.finite import NonFiniteError
from variformer.training.resuming.checkpoint_io import WholeCheckpointIO

SHORT = ["experiment=vit", "callbacks=default", "debug=fast", "model.width=32", "model.depth=2", "model.hidden=64"]
SHORT += ["callbacks.throughput=null", "trainer.progress=false"]

pytestmark = pytest.mark.usefixtures("no_picture_of_the_curves")


def spoil_weights(monkeypatch, step: int) -> None:
    """The optimizer's step of this number leaves a weight that is nan."""
    plain, taken = Training.optimizer_step, []

    def optimizer_step(self, *arguments, **named):
        plain(self, *arguments, **named)
        taken.append(1)
        if len(taken) == step:
            next(self.model.parameters()).data.view(-1)[0] = math.nan

    monkeypatch.setattr(Training, "optimizer_step", optimizer_step)


def spoil_validation(monkeypatch, *steps: int) -> None:
    """The validations after these steps have no loss, as where no sample counts for it."""
    plain = Training.finish

    def finish(self, split):
        if self.trainer.global_step in steps:
            monitored = self.sums[""][self.objective.monitor]
            monitored.count.zero_()
            monitored.total.zero_()
        plain(self, split)

    monkeypatch.setattr(Training, "finish", finish)


def status_of(config) -> dict:
    return json.loads((Path(config["run_dir"]) / "status.json").read_text())


def saved(config, name: str) -> dict:
    return WholeCheckpointIO().load_checkpoint(Path(config["run_dir"]) / "checkpoints" / f"{name}.ckpt")


def is_finite(checkpoint: dict) -> bool:
    average = [state["average"] for state in checkpoint.get("callbacks", {}).values() if "average" in state]
    return all(x.isfinite().all() for each in (checkpoint["state_dict"], *average) for x in each.values())


@pytest.mark.parametrize("callbacks", ["default", "[default,average]"])
def test_weights_that_are_not_finite_are_neither_last_nor_best(composed, monkeypatch, callbacks):
    every = ["trainer.validate_every=1", "trainer.save_every=1", "on_non_finite=skip"]
    config = composed(*SHORT, *every, f"callbacks={callbacks}")
    spoil_weights(monkeypatch, step=3)
    with pytest.raises(NonFiniteError, match=r"after step 3: \d+ tensors are not finite: model\.\S+") as stopped:
        train(config)
    assert "lower optimizer.lr" in str(stopped.value) and "goes on from step-00000002.ckpt" in str(stopped.value)
    assert status_of(config)["status"] == "failed"
    assert saved(config, "last")["global_step"] == 2
    assert is_finite(saved(config, "last")) and is_finite(saved(config, "best"))
    assert {1, 2} <= {step for step, _, _ in read_curves(Path(config["run_dir"]) / "metrics.csv")}
    monkeypatch.undo()
    monkeypatch.setattr("variformer.runs.train.draw_curves", lambda rows, path: path)
    assert math.isfinite(train(config | {"resume": True}))  # from the finite checkpoint


def test_a_run_whose_last_step_is_not_finite_has_failed(composed, monkeypatch):
    config = composed(*SHORT, "trainer.validate_every=null", "trainer.save_every=null", "max_steps=2")
    config["callbacks"] |= {"checkpoints": None, "best": None}
    spoil_weights(monkeypatch, step=2)
    with pytest.raises(NonFiniteError, match="after step 2: 1 tensors"):
        train(config)
    assert status_of(config)["status"] == "failed"
    assert not (Path(config["run_dir"]) / "metrics.json").exists()


def test_steps_are_not_skipped_where_weights_are_not_finite(composed, monkeypatch):
    config = composed(*SHORT, "trainer.validate_every=null", "trainer.save_every=null", "on_non_finite=skip")
    spoil_weights(monkeypatch, step=2)
    with pytest.raises(NonFiniteError, match=r"after step 2: \d+ tensors are not finite"):
        train(config | {"max_steps": 20})


@pytest.mark.parametrize("action", ["stop", "skip"])
def test_a_validation_that_is_not_finite_is_not_the_best(composed, monkeypatch, caplog, action):
    config = composed(*SHORT, "trainer.validate_every=1", "trainer.save_every=1", f"on_non_finite={action}")
    spoil_validation(monkeypatch, 2)
    if action == "stop":
        with pytest.raises(NonFiniteError, match=r"step 2: val/\w+ is nan"):
            train(config)
    else:
        assert math.isfinite(train(config))
        assert "step 2: val/" in caplog.text and "best.ckpt stays as it was" in caplog.text
    (best,) = [state for key, state in saved(config, "last")["callbacks"].items() if key == "BestCheckpoint"]
    assert math.isfinite(best["value"])


def test_a_run_that_ends_without_a_finite_value_has_failed(composed, monkeypatch):
    config = composed(*SHORT, "trainer.validate_every=1", "on_non_finite=skip", "max_steps=2")
    spoil_validation(monkeypatch, 2)
    with pytest.raises(NonFiniteError, match=r"step 2: val/\w+ is nan"):
        train(config)
    assert status_of(config)["status"] == "failed"
    assert not (Path(config["run_dir"]) / "metrics.json").exists()
    assert (2, "val/loss") in [row[:2] for row in read_curves(Path(config["run_dir"]) / "metrics.csv")]


@pytest.mark.parametrize("mode, best", [("min", -math.inf), ("max", math.inf)])
def test_only_a_finite_value_is_the_best(mode, best):
    callback = BestCheckpoint()
    assert not callback.is_better(math.nan, mode) and not callback.is_better(best, mode)
    for callback.value in (None, math.nan, best):  # as an earlier version may have kept it
        assert callback.is_better(1.0, mode)
    callback.value = 1.0
    assert callback.is_better(0.0, mode) == (mode == "min") and not callback.is_better(1.0, mode)


@pytest.mark.parametrize("where", ["nothing", "model", "average of weight", "square of model.weight"])
def test_every_part_of_a_checkpoint_is_looked_at(tmp_path, where):
    model = nn.Module()
    model.model = nn.Linear(2, 1, bias=False)
    model.register_buffer("mask", torch.tensor([0.0, -math.inf]))  # which is fine
    average, state = MovingAverage(), {model.model.weight: {"square": torch.zeros(2), "step": 3}}
    average.average = {"weight": torch.zeros(2)}
    broken = {"model": model.model.weight.data, "average of weight": average.average["weight"]}
    broken["square of model.weight"] = state[model.model.weight]["square"]
    strategy = SimpleNamespace(root_device=torch.device("cpu"), reduce=lambda tensor, reduce_op: tensor)
    trainer = SimpleNamespace(default_root_dir=tmp_path, strategy=strategy, callbacks=[average], global_step=7)
    trainer.optimizers, trainer.lightning_module = [SimpleNamespace(state=state)], model
    trainer.is_global_zero, trainer.saves = False, []
    trainer.save_checkpoint = lambda path, weights_only: trainer.saves.append(path.name)
    if where != "nothing":
        broken[where].view(-1)[0] = math.inf
        with pytest.raises(NonFiniteError, match=f"after step 7: 1 tensors are not finite: {where}"):
            Checkpoints().save(trainer)
    else:
        Checkpoints().save(trainer)
    assert trainer.saves == (["step-00000007.ckpt"] if where == "nothing" else [])
