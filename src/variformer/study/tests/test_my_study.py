"""The study trains, learns and can be scored again: `pytest`, in the study's folder or anywhere else."""

from pathlib import Path

import pytest

import variformer


@pytest.fixture
def run(monkeypatch, tmp_path):
    monkeypatch.chdir(Path(__file__).parents[1])  # whose conf/ has the experiment, and allows the package
    small = ["max_steps=8", "trainer.validate_every=4", "trainer.validation_samples=8", "trainer.accelerator=cpu"]
    return variformer.train(variformer.compose("experiment=my_study", *small, f"run_dir={tmp_path / 'run'}"))


def test_it_learns_and_is_scored_as_in_training(run):
    loss = run.curves["val/loss"]
    assert loss[8] < loss[4]
    assert variformer.evaluate(run)["loss"] == pytest.approx(loss[8])
