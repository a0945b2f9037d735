"""A run may go on with another number of processes, or spread over them in another way."""

import json
import logging
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from variformer.runs.train import train

COMMON = [
    *("experiment=vit", "debug=fast", "trainer.accelerator=cpu", "trainer.progress=false", "callbacks.throughput=null"),
    *("model.dropout=0", "optimizer=adamw", "optimizer.eps=0.1", "max_steps=4", "trainer.validate_every=null"),
    *("callbacks=[default,average]", "model.width=32", "model.hidden=64"),
]
KINDS = {
    "one": (["trainer.devices=1"], 1),
    "ddp": (["trainer=ddp", "trainer.devices=2"], 2),
    "fsdp": (["trainer=fsdp", "trainer.devices=2"], 2),
}


def warnings_of(config: dict[str, Any]) -> list[str]:
    """What a training warns of."""
    messages: list[str] = []
    handler = logging.Handler(logging.WARNING)
    handler.emit = lambda record: messages.append(record.getMessage())  # type: ignore[method-assign]
    logging.getLogger("variformer").addHandler(handler)
    train(config)
    return messages


@pytest.mark.parametrize(
    "before, after",
    [
        ("ddp", "one"),
        ("one", "fsdp"),
        pytest.param("one", "ddp", marks=pytest.mark.slow),
        pytest.param("fsdp", "one", marks=pytest.mark.slow),
        pytest.param("fsdp", "ddp", marks=pytest.mark.slow),
        pytest.param("fsdp", "fsdp", marks=pytest.mark.slow),
    ],
)
def test_a_run_goes_on_where_it_was(before, after, composed, on_ranks, checkpoint_of, tmp_path):
    """Weights, moving average and optimizer end within rounding of the run that was not interrupted."""
    overrides, ranks = KINDS[before]
    config = composed(*COMMON, *overrides)
    on_ranks(train, config, ranks=ranks)
    copy = tmp_path / "copy"
    shutil.copytree(config["run_dir"], copy, symlinks=True)
    for file in (*copy.glob("checkpoints/step-00000004.*"), *copy.glob("checkpoints/last.*")):
        file.unlink()
    overrides, ranks = KINDS[after]
    resumed = config | {"trainer": composed(*COMMON, *overrides)["trainer"], "run_dir": str(copy), "resume": True}
    warned, *_ = on_ranks(warnings_of, resumed, ranks=ranks)
    assert any("dropout has other random numbers" in line for line in warned) is (KINDS[before][1] != ranks)
    whole, again = checkpoint_of(config), checkpoint_of(resumed)
    assert again["global_step"] == 4
    assert whole["DataModule"] == again["DataModule"]
    for a, b in ((tensors(whole), tensors(again)),):
        assert a.keys() == b.keys()
        assert all((a[name] - b[name]).abs().max() <= 1e-6 * max(1, a[name].abs().max()) for name in a)


def test_buckets_do_not_depend_on_the_devices(composed, on_ranks, checkpoint_of, tmp_path):
    """Texts of unequal lengths: two devices see in each step what one sees."""
    lengths = np.random.default_rng(0).lognormal(2, 0.8, 40).astype(int) + 1
    rows = [f"{n} {'x' * length},{n % 2}" for n, length in enumerate(lengths)]
    (tmp_path / "a.csv").write_text("\n".join(["text,label", *rows]))
    texts = ["experiment=tune/classification", "model=bert", "tokenizer=bytes", "init_from=null", *COMMON[1:]]
    texts += ["model.vocab_size=300", "length=32", "global_batch=8", "trainer.buckets=2"]
    texts += ["objective.class_weights=balanced", "head.dropout=0"]
    texts += [f"data.source.train={tmp_path / 'a.csv'}", f"data.cache={tmp_path / 'cache'}"]
    runs = {}
    for kind in ("one", "ddp"):
        overrides, ranks = KINDS[kind]
        runs[kind] = composed(*texts, *overrides)
        on_ranks(train, runs[kind], ranks=ranks)
    one, two = (checkpoint_of(runs[kind]) for kind in runs)
    assert one["DataModule"] == two["DataModule"] and "buckets" in one["DataModule"]
    a, b = tensors(one), tensors(two)
    assert all((a[name] - b[name]).abs().max() <= 1e-6 * max(1, a[name].abs().max()) for name in a)


@pytest.mark.slow
def test_a_sharded_run_without_its_last_validation_gets_it(composed, on_ranks):
    """The loop has no step left, so that only the validation asks for the average."""
    config = composed(*COMMON, *KINDS["fsdp"][0], "trainer.validate_every=3")
    on_ranks(train, config)
    metrics = Path(config["run_dir"], "metrics.json")
    before = json.loads(metrics.read_text())
    metrics.unlink()
    on_ranks(train, config | {"resume": True})
    after = json.loads(metrics.read_text())
    assert {k: v for k, v in before.items() if k != "seconds"} == {k: v for k, v in after.items() if k != "seconds"}


def tensors(checkpoint: dict) -> dict:
    states = checkpoint["optimizer_states"][0]["state"]
    kept = {f"{number}.{name}": value for number, state in states.items() for name, value in state.items()}
    (average,) = (state["average"] for state in checkpoint["callbacks"].values() if "average" in state)
    return checkpoint["state_dict"] | kept | {f"average.{name}": value for name, value in average.items()}
