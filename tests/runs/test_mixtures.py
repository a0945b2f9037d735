"""Runs on several data sets: metrics of each part and their mean, the same after a resume."""

import json
from pathlib import Path

import pytest

from variformer.runs.evaluate import evaluate_run
from variformer.runs.train import train

SOURCE = "{_target_: variformer.data.TextFiles, train: %s}"


@pytest.fixture(scope="module")
def run(composed, tmp_path_factory):
    """A GPT of two corpora, one of which comes three times as often as by its size."""
    folder = tmp_path_factory.mktemp("corpora")
    parts = []
    for name, text, size in (("ab", "ab ba", 90), ("xyz", "xyz zyx", 30)):
        (folder / f"{name}.jsonl").write_text("\n".join(json.dumps(f"{text} {text} {n}") for n in range(size)))
        source = SOURCE % (folder / f"{name}.jsonl")
        settings = f"validation: 0.2, test: 0.2, cache: {folder / 'cache'}"
        parts.append(f"{name}: {{_target_: variformer.data.TextData, _partial_: true, source: {source}, {settings}}}")
    overrides = ["experiment=gpt", "debug=fast", "data=mixture", "tokenizer=bytes", "model.vocab_size=300", "length=16"]
    overrides += [f"data.parts={{{', '.join(parts)}}}", "data.shares={ab: 1, xyz: 1}", f"data.cache={folder / 'cache'}"]
    config = composed(*overrides)
    train(config)
    return config


def test_each_part_has_metrics_and_they_have_a_mean(run):
    kept = json.loads(Path(run["run_dir"], "metrics.json").read_text())
    assert kept["val/loss"] == pytest.approx((kept["val/ab/loss"] + kept["val/xyz/loss"]) / 2)
    assert kept["val/ab/loss"] != kept["val/xyz/loss"] and "val/ab/perplexity" in kept


def test_an_evaluation_gives_the_same(run):
    kept = json.loads(Path(run["run_dir"], "metrics.json").read_text())
    scores = evaluate_run(run["run_dir"])
    assert scores.keys() >= {"loss", "ab/loss", "xyz/loss"}
    assert "xyz/loss" in evaluate_run(run["run_dir"], split="test", eval_batch=3)
    assert {f"val/{name}": value for name, value in scores.items()}.keys() <= kept.keys()
