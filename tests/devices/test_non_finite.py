"""What is not finite on one device concerns them all: they stop, or leave the step out, together."""

import json
import math
from pathlib import Path
from typing import Any

import pytest
import torch

from variformer.data.loader import Keyed
from variformer.data.order import BatchPart, TrainingOrder
from variformer.runs.train import train
from variformer.training.devices.sharding import local_shard
from variformer.training.module import Training
from variformer.training.non_finite.finite import NonFiniteError

TWO = ["trainer=ddp", "trainer.devices=2", "trainer.accelerator=cpu", "micro_batch=1"]
IMAGES = ["experiment=vit", "callbacks=default", "debug=fast", "trainer.validate_every=null", "trainer.save_every=1"]
IMAGES += ["model.width=32", "model.depth=2", "model.hidden=64", "callbacks.throughput=null", *TWO]


def spoil(monkeypatch, *samples: tuple[int, int]) -> None:
    """Make the pixels of some training images nan."""
    sample_of = Keyed.__getitem__

    def spoiled(self, index):
        sample = sample_of(self, index)
        return sample | {"image": torch.full_like(sample["image"], math.nan)} if index in samples else sample

    monkeypatch.setattr(Keyed, "__getitem__", spoiled)


def of_second_device(step: int) -> tuple[int, int]:
    """The second sample that the second device reads in a step."""
    return list(TrainingOrder(8320, seed=0, batch=4, steps=4, part=BatchPart(1, 1, 2)))[2 * step - 1][0]


def outcome(config: dict[str, Any]) -> str:
    try:
        return f"value {train(config)}"
    except NonFiniteError as stopped:
        return str(stopped)


def test_both_devices_stop_where_one_loss_is_not_finite(composed, on_ranks, monkeypatch):
    config, culprit = composed(*IMAGES), of_second_device(step=3)
    spoil(monkeypatch, culprit)
    first, second = on_ranks(outcome, config)
    for message in (first, second):
        assert "step 3: the loss is not finite\n" in message
        assert f"micro batch 2 of 2 on device 2 of 2: samples {culprit[1]} of epoch 0" in message
    run = Path(config["run_dir"])
    assert json.loads((run / "status.json").read_text())["status"] == "failed"
    assert torch.load(run / "non_finite" / "step-00000003.pt", weights_only=True)["images"].isnan().all()


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["ddp", "fsdp"])
def test_both_devices_leave_the_same_step_out(kind, composed, on_ranks, monkeypatch, checkpoint_of):
    config = composed(*IMAGES, f"trainer={kind}", "on_non_finite=skip", "callbacks.checkpoints.keep=9")
    spoil(monkeypatch, of_second_device(step=3))
    first, second = on_ranks(outcome, config)
    assert first == second and first.startswith("value ")
    saved = [checkpoint_of(config, f"step-{step:08d}")["state_dict"] for step in (2, 3, 4)]
    assert all(torch.equal(saved[0][name], saved[1][name]) for name in saved[0])
    assert not all(torch.equal(saved[1][name], saved[2][name]) for name in saved[0])
    assert json.loads((Path(config["run_dir"]) / "run.json").read_text())["skipped_steps"] == 1


@pytest.mark.slow
@pytest.mark.parametrize("callbacks", ["default", "[default,average]"])
def test_a_shard_that_is_not_finite_is_saved_by_no_device(callbacks, composed, on_ranks, monkeypatch, checkpoint_of):
    """The second device's share of one weight is nan after the third step, and the first device's is not."""
    config = composed(*IMAGES, "trainer=fsdp", f"callbacks={callbacks}")
    plain, taken = Training.optimizer_step, []

    def optimizer_step(self, *arguments, **named):
        plain(self, *arguments, **named)
        taken.append(1)
        if len(taken) == 3 and self.trainer.global_rank == 1:
            shards = (local_shard(parameter.data) for parameter in self.model.parameters())
            next(shard for shard in shards if shard.numel()).view(-1)[0] = math.nan

    monkeypatch.setattr(Training, "optimizer_step", optimizer_step)
    for message in on_ranks(outcome, config):
        assert "after step 3: " in message and "tensors are not finite" in message
    kept = checkpoint_of(config, "last")
    assert kept["global_step"] == 2 and all(x.isfinite().all() for x in kept["state_dict"].values())
