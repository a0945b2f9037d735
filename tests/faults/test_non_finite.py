"""A loss or a gradient that is not finite: what stops, what is left out, and what is kept to find the cause."""

import json
import math
from pathlib import Path

import numpy as np
import pytest
import torch
from lightning.pytorch.plugins import MixedPrecision
from torch import Tensor

from variformer.data.loader import Keyed
from variformer.data.order import BatchPart, TrainingOrder
from variformer.layers import FeedForward
from variformer.objectives.masked_tokens import MaskedTokens
from variformer.objectives.next_token import NextToken
from variformer.run_directory.curves import read_curves
from variformer.runs.train import train
from variformer.training.contract import RunTrainer
from variformer.training.module import Training
from variformer.training.non_finite.finite import NonFiniteError
from variformer.training.resuming.checkpoint_io import WholeCheckpointIO

TRAINING_IMAGES = 8320  # of the letters
SHORT = ["debug=fast", "trainer.validate_every=null", "model.width=32", "model.depth=2", "model.hidden=64"]
SHORT += ["callbacks.throughput=null"]  # it times the device
IMAGES = ["experiment=vit", "callbacks=default", *SHORT]
TEXTS = ["length=32", "model.vocab_size=600", *SHORT]
FAMILIES = {
    "gpt": ["experiment=gpt", "tokenizer=bytes", "model/positions=linear_bias", *TEXTS],
    "bert": ["experiment=bert", *TEXTS],
    "t5": ["experiment=t5", *TEXTS],
    "vit": IMAGES,
}


pytestmark = pytest.mark.usefixtures("no_picture_of_the_curves")


def drawn(step: int, micro: int) -> list[tuple[int, int]]:
    """(epoch, index) of what an image run reads in a micro batch of two; both counted from 1."""
    order = TrainingOrder(TRAINING_IMAGES, seed=0, batch=4, steps=20, part=BatchPart(2))
    return list(order)[(step - 1) * 2 + micro - 1]


def spoil(monkeypatch, samples: list[tuple[int, int]]) -> None:
    """Make the pixels of some training images nan."""
    sample_of = Keyed.__getitem__

    def spoiled(self, index):
        sample = sample_of(self, index)
        return sample | {"image": torch.full_like(sample["image"], math.nan)} if index in samples else sample

    monkeypatch.setattr(Keyed, "__getitem__", spoiled)


def overflow(monkeypatch, step: int, block: int) -> None:
    """From a step on, what one block's feed-forward widens to exceeds what a float can hold."""
    plain = Training.training_step

    def training_step(self, batch, index):
        if self.trainer.global_step == step - 1:
            feed_forward = [each for each in self.model.modules() if isinstance(each, FeedForward)][block]
            feed_forward.widen.weight.data.fill_(3e38)
        return plain(self, batch, index)

    monkeypatch.setattr(Training, "training_step", training_step)


class InfiniteSlope(torch.autograd.Function):
    """The identity, with gradients that are not finite."""

    @staticmethod
    def forward(context, x: Tensor) -> Tensor:
        return x.clone()

    @staticmethod
    def backward(context, gradient: Tensor) -> Tensor:
        return gradient * math.inf


def steepen(monkeypatch, *steps: int) -> None:
    """In some steps, the gradients of the first block's feed-forward, and of what is before it, are not finite."""
    plain, now = Training.training_step, {"steep": False}
    feed = FeedForward.forward

    def training_step(self, batch, index):
        now["steep"] = self.trainer.global_step + 1 in steps
        now["first"] = next(each for each in self.model.modules() if isinstance(each, FeedForward))
        return plain(self, batch, index)

    def forward(self, x):
        steep = now["steep"] and self is now["first"]
        return feed(self, InfiniteSlope.apply(x) if steep else x)

    monkeypatch.setattr(Training, "training_step", training_step)
    monkeypatch.setattr(FeedForward, "forward", forward)


def with_loss_scale(monkeypatch) -> None:
    """What precision=16-mixed is on a GPU; Lightning itself takes bfloat16 in its place on a CPU."""

    def half(**settings):
        plugins = [*settings.pop("plugins"), MixedPrecision("16-mixed", "cpu")]
        return RunTrainer(**settings | {"precision": None}, plugins=plugins)

    monkeypatch.setattr("variformer.runs.trainer.RunTrainer", half)


def saved(config, step: int) -> dict:
    return WholeCheckpointIO().load_checkpoint(Path(config["run_dir"]) / "checkpoints" / f"step-{step:08d}.ckpt")


def moments(checkpoint: dict) -> list[Tensor]:
    (optimizer,) = checkpoint["optimizer_states"]
    return [value for state in optimizer["state"].values() for value in state.values()]


def same(a: list[Tensor], b: list[Tensor]) -> bool:
    return len(a) == len(b) > 0 and all(map(torch.equal, a, b))


def record_of(config) -> dict:
    return json.loads((Path(config["run_dir"]) / "run.json").read_text())


def test_a_non_finite_loss_stops_the_run_and_keeps_the_batch(composed, monkeypatch):
    config = composed(*IMAGES)
    wrong = drawn(step=3, micro=2)
    spoil(monkeypatch, wrong[:1])
    with pytest.raises(NonFiniteError) as stopped:
        train(config)
    message = str(stopped.value)
    assert "step 3: the loss is not finite\n" in message
    assert f"micro batch 2 of 2: samples {wrong[0][1]}, {wrong[1][1]} of epoch 0" in message
    assert "inputs that are not finite: images" in message and "loss nan" in message

    run = Path(config["run_dir"])
    status = json.loads((run / "status.json").read_text())
    assert status["status"] == "failed" and "step 3" in status["error"]
    batch = torch.load(run / "non_finite" / "step-00000003.pt", weights_only=True)
    assert batch["images"][0].isnan().all() and batch["images"][1].isfinite().all()
    found = json.loads((run / "non_finite" / "step-00000003.json").read_text())
    assert found["samples"] == [list(sample) for sample in wrong]
    assert found["module"] == "encoder.embedding.patches"
    kept = WholeCheckpointIO().load_checkpoint(run / "checkpoints" / "last.ckpt")
    assert kept["global_step"] == 2 and all(x.isfinite().all() for x in kept["state_dict"].values())


@pytest.mark.parametrize("name", FAMILIES)
def test_the_first_module_that_is_not_finite_is_named(composed, monkeypatch, name):
    overflow(monkeypatch, step=2, block=-1)
    with pytest.raises(NonFiniteError) as stopped:
        train(composed(*FAMILIES[name], "model.dropout=0.1"))
    message = str(stopped.value)
    assert "step 2: the loss is not finite\n" in message
    assert "output is not finite" in message
    first = message.partition("output is not finite: ")[2].splitlines()[0]
    assert first.endswith("blocks.1.feed_forward.widen"), message


@pytest.mark.parametrize("name", FAMILIES)
def test_no_module_is_named_where_all_are_finite(composed, monkeypatch, name):
    """The negative control: masks and biases of a sound model do not count as faults."""
    plain = Training.training_step

    def training_step(self, batch, index):
        loss = plain(self, batch, index)
        self.latest = self.latest._replace(loss=loss * math.nan)
        return self.latest.loss

    monkeypatch.setattr(Training, "training_step", training_step)
    with pytest.raises(NonFiniteError) as stopped:
        train(composed(*FAMILIES[name]))
    assert "was finite when it was computed again" in str(stopped.value)
    assert "whose output" not in str(stopped.value) and "weights that" not in str(stopped.value)


def test_a_gradient_that_is_not_finite_stops_the_run(composed, monkeypatch):
    steepen(monkeypatch, 2)
    with pytest.raises(NonFiniteError) as stopped:
        train(composed(*IMAGES))
    message = str(stopped.value)
    assert "step 2: the gradient is not finite\n" in message and "micro batch 1 of 2" in message
    assert "stopped being finite" in message and "blocks.0.feed_forward_norm" in message


def test_a_skipped_step_changes_no_weight_and_no_optimizer(composed, monkeypatch):
    every = ["trainer.save_every=1", "callbacks.checkpoints.keep=9", "on_non_finite=skip"]
    config = composed(*IMAGES, *every)
    spoil(monkeypatch, drawn(step=3, micro=1))
    assert math.isfinite(train(config))
    second, third, fourth = (saved(config, step) for step in (2, 3, 4))
    weights = [list(checkpoint["state_dict"].values()) for checkpoint in (second, third, fourth)]
    assert same(weights[0], weights[1]) and same(moments(second), moments(third))
    assert not same(weights[1], weights[2]) and not same(moments(third), moments(fourth))
    assert third["global_step"] == 3 and third["DataModule"]["samples_seen"] == 12
    assert third["lr_schedulers"][0]["last_epoch"] == 3
    assert record_of(config)["skipped_steps"] == 1
    rows = read_curves(Path(config["run_dir"]) / "metrics.csv")
    assert [row for row in rows if row[1] == "train/skipped_steps"] == [(3, "train/skipped_steps", 1.0)]
    assert (Path(config["run_dir"]) / "non_finite" / "step-00000003.pt").is_file()


def test_looking_for_the_cause_does_not_change_the_run(composed, monkeypatch):
    """Dropout after a skipped step goes on as if nobody had run the batch again."""
    config = [composed(*IMAGES, "model.dropout=0.1", "on_non_finite=skip") for _ in range(2)]
    spoil(monkeypatch, drawn(step=3, micro=1))
    train(config[0])
    monkeypatch.setattr("variformer.training.non_finite.callback.find", lambda *arguments: None)
    train(config[1])
    weights = [list(saved(each, 4)["state_dict"].values()) for each in config]
    assert same(*weights)


def test_too_many_skipped_steps_in_a_row_stop_the_run(composed, monkeypatch):
    config = composed(*IMAGES, "on_non_finite=skip", "max_steps=20")
    spoil(monkeypatch, [sample for step in range(3, 21) for sample in drawn(step, micro=2)])
    with pytest.raises(NonFiniteError, match=r"step 12: (?s:.*)10 last steps were all left out"):
        train(config)
    assert record_of(config)["skipped_steps"] == 9


def test_overflows_of_the_loss_scale_are_counted_and_no_error(composed, monkeypatch):
    steepen(monkeypatch, 2, 3)
    with_loss_scale(monkeypatch)
    config = composed(*IMAGES, "optimizer=adamw", "trainer.save_every=1")
    assert math.isfinite(train(config))
    assert record_of(config)["loss_scale_overflows"] == 2
    assert "skipped_steps" not in {name for name, count in record_of(config).items() if count}
    assert saved(config, 4)["MixedPrecision"]["scale"] == 65536 / 4


def test_a_loss_scale_that_no_longer_helps_is_an_error(composed, monkeypatch):
    steepen(monkeypatch, *range(1, 31))
    with_loss_scale(monkeypatch)
    config = composed(*IMAGES, "optimizer=adamw", "max_steps=30", "trainer.save_every=null")
    with pytest.raises(NonFiniteError, match="step 18: the gradient"):
        train(config)


@pytest.mark.parametrize("name", ["gpt", "bert"])
def test_a_batch_without_targets_has_no_loss_and_is_counted(composed, monkeypatch, name):
    objective = {"gpt": NextToken, "bert": MaskedTokens}[name]
    collate, calls = objective.collate, []

    def without_targets(self, samples, keys, train):
        batch = collate(self, samples, keys, train)
        calls.append(train)
        if train and len(calls) in (3, 4):  # a whole step
            batch["targets"] = torch.full_like(batch["targets"], -100)
        return batch

    monkeypatch.setattr(objective, "collate", without_targets)
    extra = ["objective=masked_tokens"] if name == "bert" else []
    config = composed(*FAMILIES[name], *extra)
    assert math.isfinite(train(config))
    assert record_of(config)["batches_without_targets"] == 2
    rows = read_curves(Path(config["run_dir"]) / "metrics.csv")
    losses = {step: value for step, metric, value in rows if metric == "train/loss"}
    assert losses[2] == 0 and losses[3] > 1


def test_batches_carry_the_ids_of_their_samples(composed):
    from variformer.run_directory.directory import RunDirectory
    from variformer.runs.run import build, prepare

    config = composed(*IMAGES)
    run = build(prepare(config, RunDirectory(config["run_dir"])))
    loader = run.data_module.train_dataloader()
    batch = next(iter(loader))
    assert list(zip(batch["epoch"], batch["index"], strict=True)) == drawn(step=1, micro=1)
    assert np.isfinite(batch["images"].numpy()).all()
