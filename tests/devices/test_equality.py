"""However a global batch is spread over processes and micro batches, a step is the same."""

from typing import Any

import pytest
import torch

from variformer.runs.train import train
from variformer.training.devices.sharding import full_tensor
from variformer.training.module import Training

LEAN = ["debug=fast", "trainer.accelerator=cpu", "trainer.progress=false", "samples=none", "callbacks.throughput=null"]
# A large eps: Adam otherwise makes whole steps of gradients that are nothing but rounding.
SMALL = [*LEAN, "global_batch=8", "max_steps=3", "model.dropout=0", "optimizer=adamw", "optimizer.eps=0.1"]
TEXT = ["length=32", "model.width=32", "model.hidden=64"]
FAMILIES = {
    "gpt": ["experiment=gpt", "tokenizer=bytes", "model.vocab_size=300", *TEXT],
    "bert": ["experiment=bert", "objective=masked_tokens", "model.vocab_size=600", *TEXT],  # its pair head is not used
    "roberta": ["experiment=roberta", "model.vocab_size=600", *TEXT],  # as many targets as chance has it
    "t5": ["experiment=t5", "model.vocab_size=600", *TEXT],
    "albert": ["experiment=albert", "model.vocab_size=600", "model.embedding_width=16", "micro_batch=1", *TEXT],
    "vit": ["experiment=vit"],
}


def observed_steps(config: dict[str, Any]) -> list[dict[str, Any]]:
    """Train, and tell of each step which samples it saw, the sum and number of its losses, and its gradient."""
    steps: list[dict[str, Any]] = [{"samples": [], "losses": []}]
    step, clip = Training.training_step, Training.configure_gradient_clipping

    def training_step(self, batch, index):
        steps[-1]["samples"] += batch["index"]
        loss = step(self, batch, index)
        count = float(len(batch["index"]) if self.latest.targets is None else self.latest.targets)
        steps[-1]["losses"].append((float(self.latest.loss.detach()) * count, count))
        return loss

    def configure_gradient_clipping(self, *arguments, **named):
        clip(self, *arguments, **named)
        gradients = {name: p.grad for name, p in self.model.named_parameters() if p.grad is not None}
        steps[-1]["gradients"] = {name: full_tensor(gradient).clone().numpy() for name, gradient in gradients.items()}
        steps.append({"samples": [], "losses": []})

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Training, "training_step", training_step)
        patch.setattr(Training, "configure_gradient_clipping", configure_gradient_clipping)
        train(config | {"clip": None})
    return steps[:-1]


def mean(losses: list[tuple[float, float]]) -> float:
    total, count = map(sum, zip(*losses, strict=True))
    return total / count


def apart(a: dict[str, Any], b: dict[str, Any]) -> float:
    """The largest difference, over the largest value."""
    assert a.keys() == b.keys()
    largest = max(float(abs(a[name]).max()) for name in a)
    return max(float(abs(a[name] - b[name]).max()) for name in a) / largest


def require_same_steps(one: list[dict], ranks: list[list[dict]], weights: dict, others: dict) -> None:
    """At most 1e-6 apart, in losses, gradients and weights; and the same samples in every step."""
    assert len(one) == 3
    for number, step in enumerate(one):
        seen = [sample for rank in ranks for sample in rank[number]["samples"]]
        assert sorted(seen) == sorted(step["samples"])
        assert len(seen) == 8
        together = [loss for rank in ranks for loss in rank[number]["losses"]]
        assert mean(together) == pytest.approx(mean(step["losses"]), rel=1e-6)
        for rank in ranks:
            assert apart(step["gradients"], rank[number]["gradients"]) < 1e-6
    assert apart(weights, others) < 1e-6


QUICK = ("gpt", "roberta")


@pytest.fixture(
    scope="module",
    params=[name if name in QUICK else pytest.param(name, marks=pytest.mark.slow) for name in FAMILIES],
)
def one(request, composed, on_ranks, checkpoint_of):
    """One process, all of the global batch at once: its overrides, steps and final weights."""
    overrides = [*FAMILIES[request.param], *SMALL]
    config = composed(*overrides)
    (steps,) = on_ranks(observed_steps, config, ranks=1)
    return overrides, steps, checkpoint_of(config)["state_dict"]


@pytest.mark.parametrize("kind", ["ddp", "fsdp"])
def test_two_processes_with_accumulation_learn_what_one_learns(one, kind, composed, on_ranks, checkpoint_of):
    overrides, steps, weights = one
    config = composed(*overrides, "micro_batch=1", f"trainer={kind}", "trainer.devices=2")
    ranks = on_ranks(observed_steps, config)
    require_same_steps(steps, ranks, weights, checkpoint_of(config)["state_dict"])


@pytest.mark.parametrize(
    "change",
    [
        ["optimizer=muon"],
        pytest.param(["optimizer=lamb"], marks=pytest.mark.slow),
        pytest.param(["optimizer=sgd"], marks=pytest.mark.slow),
        pytest.param(["checkpointing=true"], marks=pytest.mark.slow),
        pytest.param(["precision=bf16-mixed"], marks=pytest.mark.slow),
        pytest.param(["callbacks=[default,average]", "trainer.validate_every=1"], marks=pytest.mark.slow),
    ],
    ids=lambda change: change[0],
)
def test_a_sharded_model_learns_what_a_replicated_one_learns(change, composed, on_ranks, checkpoint_of):
    """Their weights, the optimizer's state and the moving average, which their checkpoints hold whole."""
    left, small = [], [each for each in SMALL if "sgd" not in change[0] or not each.startswith("optimizer.eps")]
    for kind in ("ddp", "fsdp"):
        config = composed(*FAMILIES["gpt"], *small, *change, f"trainer={kind}", "trainer.devices=2")
        on_ranks(train, config)
        left.append(checkpoint_of(config))
    replicated, sharded = left
    tolerance = 1e-3 if "bf16" in change[0] else 1e-5  # rounding, after three steps of an optimizer
    assert apart(replicated["state_dict"], sharded["state_dict"]) < tolerance
    for state, other in zip(states(replicated), states(sharded), strict=True):
        assert apart(state, other) < tolerance
    averages = [[c["average"] for c in each["callbacks"].values() if "average" in c] for each in left]
    assert all(apart(a, b) < tolerance for a, b in zip(*averages, strict=True))


def states(checkpoint: dict[str, Any]) -> list[dict[str, Any]]:
    """For each name that the optimizer keeps a tensor under: those tensors, by the number of their parameter."""
    kept: dict[str, dict[str, Any]] = {}
    for number, state in checkpoint["optimizer_states"][0]["state"].items():
        for name, value in state.items():
            if isinstance(value, torch.Tensor):
                kept.setdefault(name, {})[number] = value
    return list(kept.values())
