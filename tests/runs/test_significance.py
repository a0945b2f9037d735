"""Intervals of a run's metrics, and comparisons of runs on the samples that both were evaluated on."""

import json
import re
import shutil
from pathlib import Path

import numpy as np
import pytest
from omegaconf import OmegaConf
from typer.testing import CliRunner

from variformer.cli.commands import evaluate_one
from variformer.cli.main import app
from variformer.exchange.measured import measured
from variformer.run_directory.directory import RunDirectory
from variformer.runs.evaluate import evaluate_run
from variformer.runs.kept_rows import read_rows
from variformer.runs.significance import significance
from variformer.runs.train import train

SMALL = ["experiment=vit", "data=digits", "debug=fast", "model.depth=1", "callbacks.throughput=null"]
SMALL += ["trainer.progress=false", "trainer.accelerator=cpu", "trainer.validate_every=null", "trainer.save_every=null"]
SMALL += ["optimizer=adamw", "optimizer.lr=0.003", "global_batch=32", "micro_batch=32"]


@pytest.fixture(scope="module")
def two(composed) -> tuple[Path, Path]:
    """A run of one step without augmentation and a run of sixty, on the same images."""
    runs = []
    for steps, bootstrap, more in ((1, 100, ["data/augmentation=none"]), (60, None, [])):
        config = composed(*SMALL, f"max_steps={steps}", *more)
        train(config)
        runs.append(Path(config["run_dir"]))
        evaluate_run(str(runs[-1]), "test", bootstrap=bootstrap)
    return runs[0], runs[1]


def digits(run: Path) -> np.ndarray:
    return read_rows(RunDirectory(run), "test", "last").table.indices


@pytest.fixture
def copied(two, tmp_path) -> Path:
    return shutil.copytree(two[0], tmp_path / "copy", symlinks=True)


def test_an_evaluation_leaves_its_rows(two):
    run = RunDirectory(two[1])
    metrics = json.loads(run.evaluation("test", "last").read_text())
    indices, columns = read_rows(run, "test", "last").table
    assert indices.tolist() == list(range(len(indices)))
    assert metrics["top1"] == pytest.approx((columns["label"] == columns["guess"]).mean())
    assert metrics["loss"] == pytest.approx(columns["nats"].mean(), rel=1e-6)
    assert columns["log_probabilities"].shape == (len(indices), 10)


def test_rows_do_not_depend_on_the_batch(two, tmp_path):
    one = read_rows(RunDirectory(two[1]), "test", "last").table
    run = shutil.copytree(two[1], tmp_path / "copy", symlinks=True)
    evaluate_run(str(run), "test", eval_batch=7)
    other = read_rows(RunDirectory(run), "test", "last").table
    assert np.array_equal(one.indices, other.indices)
    assert np.array_equal(one.columns["label"], other.columns["label"])
    np.testing.assert_allclose(one.columns["nats"], other.columns["nats"], rtol=1e-4)


def test_each_metric_lies_in_its_interval(two):
    run = RunDirectory(two[0])
    kept = json.loads(run.evaluation("test", "last").read_text())
    assert kept["intervals"].keys() == {"loss", "top1", "top5", "macro_f1", "matthews", "calibration_error"}
    for name in ("loss", "top1", "top5"):
        low, high = kept["intervals"][name]
        assert low <= kept[name] <= high and low < high
    assert "intervals" not in json.loads(RunDirectory(two[1]).evaluation("test", "last").read_text())
    assert "intervals" not in measured(run, "last")["test"]


def test_the_command_shows_intervals(copied, capsys):
    given = {"run_dir": str(copied), "split": "test", "checkpoint": None, "other_model": None, "bootstrap": 20}
    evaluate_one(OmegaConf.create(given))
    kept = json.loads(RunDirectory(copied).evaluation("test", "last").read_text())
    low, high = kept["intervals"]["top1"]
    assert f"test/top1: {kept['top1']:.6g} ({low:.6g} to {high:.6g})" in capsys.readouterr().out.splitlines()


def test_a_run_does_not_differ_from_itself(two):
    found = significance(str(two[0]), str(two[0]), draws=50)
    assert found.metric == "top1" and found.comparison == (0.0, 0.0, 0.0, 1.0)


def test_a_trained_run_is_better_than_a_new_one(two):
    names = [str(run) for run in two]
    result = CliRunner().invoke(app, ["significance", *names[::-1], "--metric", "loss", "--draws", "99"])
    assert result.exit_code == 0, result.output
    better, worse, printed = result.stdout.splitlines()
    ours, theirs = (evaluate_run(name, "test")["loss"] for name in names[::-1])
    assert better == f"{names[1]}  test/loss {ours:.6g}" and worse == f"{names[0]}  test/loss {theirs:.6g}"
    words = re.fullmatch(r"difference (\S+), with 95% between (\S+) and (\S+), p = 0.02 \(paired .*", printed)
    difference, low, high = map(float, words.groups())
    assert low < difference < high < 0 and difference == pytest.approx(ours - theirs, abs=1e-3)
    assert printed.endswith(f"(paired bootstrap, 99 draws of {len(digits(two[0])):,} samples)")


def refused(*words: str) -> str:
    result = CliRunner().invoke(app, ["significance", *words])
    assert result.exit_code == 2
    (line,) = result.stderr.splitlines()
    return line


def test_what_cannot_be_compared_is_one_line(two, copied):
    ours, theirs = str(copied), str(two[1])
    assert refused(ours, theirs, "--metric", "recall").startswith("metric=recall: choose loss, top1, top5, macro_f1")
    assert f"first variformer evaluate run_dir={ours} split=val checkpoint=last" in refused(ours, theirs, "--split=val")
    assert "nowhere" in refused(ours, "nowhere")
    file = copied / "evaluations" / "test_last" / "rows.npz"
    content = dict(np.load(file))
    np.savez(file, **content | {"inputs": np.array("another")})
    assert "were not evaluated on the same samples of split=test: " in refused(ours, theirs)
    np.savez(file, **content | {"more": content["label"]})
    assert "calibration" not in (printed := refused(ours, theirs)) and "more of each sample, and" in printed
    np.savez(file, **content | {"weights": np.array("another")})
    assert "is of other weights than last has now: again variformer evaluate" in refused(ours, theirs)


def test_images_of_another_split_are_other_samples(two, copied):
    evaluate_run(str(copied), "val")
    mine, theirs = (read_rows(RunDirectory(run), split, "last") for run, split in ((copied, "val"), (two[0], "test")))
    assert mine.inputs != theirs.inputs


def test_what_cannot_be_written_is_still_answered(copied, capsys):
    shutil.rmtree(copied / "evaluations")
    (copied / "evaluations").write_text("in the way")
    assert evaluate_run(str(copied), "test")["loss"] > 0
    assert "rows.npz was not written: " in capsys.readouterr().err
