"""`variformer export RUN NAME.onnx`."""

import logging
import sys
from pathlib import Path

import onnxruntime
import pytest
from typer.testing import CliRunner

from variformer.cli.main import app
from variformer.runs.train import train

SMALL = ["experiment=gpt", "debug=fast", "max_steps=1", "trainer.validate_every=null", "trainer.save_every=null"]


@pytest.fixture(scope="module", autouse=True)
def quiet():
    """Tracing notes each of its steps, which pytest would keep."""
    logging.disable(logging.DEBUG)
    yield
    logging.disable(logging.NOTSET)


@pytest.fixture(scope="module")
def run(composed):
    config = composed(*SMALL, "model/size=nano", "length=32")
    train(config)
    return Path(config["run_dir"])


def test_a_run_becomes_a_file(run, tmp_path):
    file = tmp_path / "new" / "model.onnx"
    result = CliRunner().invoke(app, ["export", str(run), str(file)])
    assert result.exit_code == 0, result.output
    assert "input tokens: int64 (batch, length)" in result.output
    assert onnxruntime.InferenceSession(file).get_outputs()[0].name == "scores"
    again = CliRunner().invoke(app, ["export", str(run), str(file)])
    assert again.exit_code == 2 and "exists" in again.output


def test_the_missing_extra_is_named_first(run, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "onnxscript", None)
    result = CliRunner().invoke(app, ["export", str(run), str(tmp_path / "model.onnx")])
    assert result.exit_code == 2 and "pip install 'variformer[onnx]'" in result.output
    assert not list(tmp_path.iterdir())
