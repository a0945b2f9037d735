"""Samples and steps that are very long are named before the first step."""

import logging

import pytest

from variformer.runs import pace
from variformer.runs.pace import long_samples, slow_steps
from variformer.runs.plan import plan
from variformer.runs.plan_table import show
from variformer.runs.train import train

DOCUMENTS = {"train": {"documents": 950, "tokens": 556_023}, "skipped": {}}
SMALL = ["experiment=gpt", "debug=fast", "tokenizer=bytes", "model.vocab_size=300", "samples=none"]
SMALL += ["length=32", "model.width=32", "model.hidden=64"]


def test_samples_far_longer_than_documents_are_named():
    (line,) = long_samples(100_000, DOCUMENTS)
    assert line.startswith("length=100000: documents have 585 tokens on average")


@pytest.mark.parametrize(
    ("length", "report"),
    [(128, DOCUMENTS), (1024, DOCUMENTS), (None, DOCUMENTS), (64, {"train": 1347}), (64, {}), (64, {"train": {}})],
    ids=str,
)
def test_ordinary_samples_need_no_word(length, report):
    assert list(long_samples(length, report)) == []


def test_a_step_of_minutes_is_named_with_what_to_lower():
    (line,) = slow_steps(100_000, flops=4.8e13, peak=1e11)
    assert "at least 0:08:00 (h:mm:ss)" in line
    assert "lower length" in line
    (image,) = slow_steps(None, flops=4.8e13, peak=1e11)
    assert "length" not in image and "lower global_batch" in image
    assert list(slow_steps(100_000, flops=5.9e12, peak=1e11)) == []


def test_the_plan_and_the_run_warn_alike(composed, monkeypatch, capsys, caplog):
    monkeypatch.setattr(pace, "peak_flops", lambda *_: 1e5)
    monkeypatch.setattr(pace, "SLOWEST", 1e5)
    config = composed(*SMALL, "max_steps=1")
    planned = plan(config)
    assert len(planned.warnings) == 1 and "a step takes at least" in planned.warnings[0]
    show(planned)
    assert "warning: a step takes at least" in capsys.readouterr().out
    with caplog.at_level(logging.WARNING):
        train(config)
    assert planned.warnings[0] in caplog.messages


def test_an_ordinary_run_counts_nothing(composed, monkeypatch):
    monkeypatch.setattr(pace, "step_flops", None)
    train(composed(*SMALL, "max_steps=1"))
