"""The experiments learn what their files say, from real data, in a part of their steps."""

import json
from pathlib import Path

import pytest

from variformer.runs.train import train


@pytest.mark.slow
@pytest.mark.timeout(600)
@pytest.mark.parametrize(
    "name, steps, metric, bar",
    [
        ("vit", 300, "val/top1", 0.6),
        ("gpt", 120, "val/bits_per_byte", -2.7),
    ],
)
def test_experiments_learn(composed, name, steps, metric, bar):
    """`bar` is the least value, or minus the largest."""
    config = composed(f"experiment={name}", f"max_steps={steps}", "compile=none", "trainer.validate_every=null")
    train(config)
    value = json.loads((Path(config["run_dir"]) / "metrics.json").read_text())[metric]
    assert (value if bar > 0 else -value) > bar
