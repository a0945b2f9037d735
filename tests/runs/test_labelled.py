"""Runs on labelled texts: buckets that resume bit for bit, and what was found in the data is kept with the run."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
import yaml

from variformer.runs.train import train
from variformer.training.resuming.checkpoint_io import WholeCheckpointIO

COMMON = ["experiment=tune/classification", "model=bert", "tokenizer=bytes", "init_from=null", "debug=fast"]
COMMON += ["model.vocab_size=300", "model.dropout=0.1", "length=40", "max_steps=6", "global_batch=8"]
COMMON += ["micro_batch=4", "trainer.validate_every=3", "trainer.save_every=3", "trainer.buckets=3"]


@pytest.fixture(scope="module")
def reviews(tmp_path_factory):
    """Texts of skewed lengths, some longer than the model reads."""
    folder = tmp_path_factory.mktemp("reviews")
    lengths = np.random.default_rng(0).lognormal(2.5, 0.8, 60).astype(int) + 1
    rows = [f"{'good' if n % 3 else 'bad'} {'x' * length},{n % 3}" for n, length in enumerate(lengths)]
    (folder / "a.csv").write_text("\n".join(["text,stars", *rows]))
    return [
        f"data.source.train={folder / 'a.csv'}",
        "data.source.columns.label=stars",
        f"data.cache={folder / 'cache'}",
    ]


@pytest.fixture(scope="module")
def run(composed, reviews):
    config = composed(*COMMON, *reviews)
    train(config)
    return config


def contents(folder):
    return WholeCheckpointIO().load_checkpoint(Path(folder) / "checkpoints" / "last.ckpt")


def killed(run, copy):
    """What is left of a run that was killed right after its checkpoint at step 3, amid an epoch of 48 samples."""
    shutil.copytree(run["run_dir"], copy, symlinks=True)
    for file in copy.glob("checkpoints/step-00000006*"):
        file.unlink()
    for name in ("last.ckpt", "last.ckpt.sha256"):
        (copy / "checkpoints" / name).unlink()
        (copy / "checkpoints" / name).symlink_to(name.replace("last", "step-00000003"))


@pytest.mark.parametrize("changes", [{}, {"micro_batch": 8}], ids=["same", "other micro batch"])
def test_a_killed_run_ends_where_the_whole_one_does(run, changes, tmp_path):
    killed(run, tmp_path / "copy")
    saved = yaml.safe_load((tmp_path / "copy" / "config.yaml").read_text())
    train(saved | changes | {"run_dir": str(tmp_path / "copy"), "resume": True})
    whole, again = contents(run["run_dir"])["state_dict"], contents(tmp_path / "copy")["state_dict"]
    if not changes:  # dropout depends on the micro batch
        assert all(torch.equal(whole[name], again[name]) for name in whole)
    assert contents(run["run_dir"])["DataModule"] == contents(tmp_path / "copy")["DataModule"]


def test_another_number_of_buckets_does_not_resume(run, tmp_path):
    killed(run, tmp_path / "copy")
    saved = yaml.safe_load((tmp_path / "copy" / "config.yaml").read_text())
    other = saved | {"run_dir": str(tmp_path / "copy"), "resume": True, "trainer": saved["trainer"] | {"buckets": 7}}
    with pytest.raises(ValueError, match="written with buckets=3, and this run has 7"):
        train(other)


def test_the_run_keeps_the_names_of_the_classes(run):
    config = yaml.safe_load(Path(run["run_dir"], "config.yaml").read_text())
    record = json.loads(Path(run["run_dir"], "run.json").read_text())
    assert run["data"]["labels"] is None
    assert config["data"]["labels"] == record["config"]["data"]["labels"] == ["0", "1", "2"]


def test_the_record_counts_what_was_cut(run):
    data = json.loads(Path(run["run_dir"], "run.json").read_text())["data"]
    assert set(data["cut"]) >= {"train"} and 0 < data["cut"]["train"] < data["train"]["examples"]
    assert sum(data["train"]["labels"].values()) == data["train"]["examples"]
