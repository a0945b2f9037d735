"""Runs that the code of commit f9f06b8 wrote: today's code goes on with them, scores, exports, loads and repeats them.

`before/NAME/` was killed after step 4 of 8, with `_target_` names of then. `before/NAME.json` holds what the code of
then computed from it. HERE in config.yaml and run.json stands for the folder that holds the run and texts.jsonl.
"""

import json
import shutil
from pathlib import Path

import pytest
import torch
from typer.testing import CliRunner

import variformer
from variformer.cli.main import app
from variformer.config.classes.moved import MOVED
from variformer.training.loggers import read_curves

BEFORE = Path(__file__).with_name("before")
NAMES = ["gpt", "bert", "vit"]
INPUTS = {  # those of the scores in NAME.json
    "gpt": torch.arange(5, 25)[None],
    "bert": torch.arange(5, 25)[None],
    "vit": torch.linspace(-1, 1, 64).reshape(1, 1, 8, 8),
}


def close(expected):
    """Equal, but for the last bits of a float32, in which processors differ."""
    return pytest.approx(expected, rel=2e-6, abs=2e-6)


@pytest.fixture(params=NAMES)
def name(request) -> str:
    return request.param


@pytest.fixture
def then(name) -> dict:
    """What the code of before computed."""
    return json.loads((BEFORE / f"{name}.json").read_text())


@pytest.fixture
def run(name, tmp_path, monkeypatch) -> Path:
    """A copy that may be written."""
    shutil.copy(BEFORE / "texts.jsonl", tmp_path)
    copy = shutil.copytree(BEFORE / name, tmp_path / "run", symlinks=True)
    for file in (copy / "config.yaml", copy / "run.json"):
        file.write_text(file.read_text().replace("HERE", str(tmp_path)))
    monkeypatch.chdir(tmp_path)
    return copy


def scores(model: torch.nn.Module, name: str) -> list[float]:
    with torch.no_grad():
        scores = model(INPUTS[name])
    return getattr(scores, "tokens", scores).flatten()[:10].tolist()


def as_then(found: dict[str, float], then: dict[str, float]) -> dict[str, float]:
    """Without the metrics that there were not yet."""
    return {name: value for name, value in found.items() if name in then}


def assert_same_end(run: variformer.Run, then: dict):
    assert run.status == "done" and as_then(run.metrics, then["final"]) == close(then["final"])
    names = {name for _, name, _ in then["curves"]}
    curves = [list(row) for row in read_curves(run.path / "metrics.csv") if row[1] in names]
    assert [row[:2] for row in curves] == [row[:2] for row in then["curves"]]
    assert [row[2] for row in curves] == close([row[2] for row in then["curves"]])


def test_a_run_of_before_is_resumed_to_the_same_end(run, then):
    ended = variformer.train(variformer.compose(f"run_dir={run}", "resume=true"))
    assert ended.path == run
    assert_same_end(ended, then)


def test_a_run_of_before_is_repeated_to_the_same_end(run, then):
    again = variformer.train(variformer.compose(f"repeat={run}"))
    assert again.path != run
    assert_same_end(again, then)


def test_a_run_of_before_has_the_same_metrics(run, then):
    assert as_then(variformer.evaluate(run), then["evaluated"]) == close(then["evaluated"])


def test_a_run_of_before_is_loaded_and_exported_alike(run, then, name, tmp_path):
    model, _ = variformer.load(run)
    assert scores(model, name) == close(then["scores"])
    done = CliRunner().invoke(app, ["export", str(run), str(tmp_path / "exported")])
    assert done.exit_code == 0, done.output
    settings = json.loads((tmp_path / "exported" / "config.json").read_text())
    assert settings["architectures"] == [then["architecture"]]
    exported, _ = variformer.load(tmp_path / "exported")
    assert scores(exported, name) == close(then["scores"])


def test_the_runs_of_before_name_classes_that_have_moved():
    text = (BEFORE / "vit" / "config.yaml").read_text()
    moved = [old for old in MOVED if f"_target_: {old}" in text]
    assert moved == ["variformer.data.augmentation", "variformer.data.image_sources"]
