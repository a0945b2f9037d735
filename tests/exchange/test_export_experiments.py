"""Every experiment is exported, and transformers reads it: by a class that has its parts, or by its own code."""

import json
from pathlib import Path

import pytest
import torch
import transformers as hf
from typer.testing import CliRunner

import variformer
from variformer.cli.main import app
from variformer.exchange.readers import reader_of
from variformer.weights.huggingface import destination

from .test_export import scores

FOLDER = Path(__file__).parents[2] / "conf" / "experiment"
EXPERIMENTS = sorted(
    path.relative_to(FOLDER).with_suffix("").as_posix()
    for path in FOLDER.rglob("*.yaml")
    if path.parent.name not in ("papers", "tune")  # tests/exchange/test_tuned_runs.py has tuned models
)
SMALL = ["model.width=32", "model.depth=2", "model.hidden=48", "compile=none"]
TEXT = ["model.vocab_size=700", "tokenizer.vocab_size=600"]


@pytest.fixture(scope="module")
def teacher(untrained) -> Path:
    return untrained("experiment=bert", *SMALL, *TEXT)


def overrides_of(experiment: str, teacher: Path) -> list[str]:
    name = experiment.rpartition("/")[2]
    text = [] if name.startswith(("vit", "deit")) else [*TEXT[: None if name != "distilbert" else 1], "length=48"]
    special = ["model.head_width=8"] if name.startswith("t5") else []
    taught = [f"objective.teacher={teacher}"] if name in ("deit", "distilbert") else []
    return [f"experiment={experiment}", *SMALL, *text, *special, *taught]


@pytest.mark.parametrize("experiment", EXPERIMENTS)
@torch.no_grad()
def test_transformers_reads_it(untrained, teacher, tmp_path, experiment):
    run, folder = untrained(*overrides_of(experiment, teacher)), tmp_path / "model"
    result = CliRunner().invoke(app, ["export", str(run), str(folder)])
    assert result.exit_code == 0, result.stderr
    ours, reader = variformer.load(run)
    found = destination(ours)
    architecture = json.loads((folder / "config.json").read_text())["architectures"][0]
    assert result.stdout.splitlines()[-1].startswith(f"class: {architecture}")
    assert found.architecture in (architecture, None) and found.because in result.stdout
    trust = {"trust_remote_code": True} if found.architecture is None else {}
    kind = getattr(hf, reader_of(architecture))
    theirs, report = kind.from_pretrained(folder, output_loading_info=True, **trust)
    assert not any(report.values()), report
    for mine, his in scores(ours, theirs.eval(), reader):
        assert mine.shape == his.shape
        assert (mine - his).abs().max() <= 1e-5 * his.abs().max()
    again = variformer.load(folder)[0]
    if found.architecture is None:
        assert all(torch.equal(tensor, again.state_dict()[name]) for name, tensor in ours.state_dict().items())
    for mine, his in scores(again, theirs, reader):
        assert (mine - his).abs().max() <= 1e-5 * his.abs().max()


def test_no_experiment_was_left_out():
    assert len(EXPERIMENTS) >= 15 and {"gpt", "deit", "variants/t5_rotary"} <= set(EXPERIMENTS)
