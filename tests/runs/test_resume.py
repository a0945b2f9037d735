"""A run that goes on from a checkpoint ends bit for bit where an uninterrupted one does."""

import functools
import json
import shutil
from pathlib import Path

import pytest
import torch

from variformer.analysis.machine_memory import OutOfMemory
from variformer.runs.evaluate import evaluate_run
from variformer.runs.train import train
from variformer.training.loggers import read_curves
from variformer.training.module import Training
from variformer.training.optimizer import decay_groups_of_before
from variformer.training.resuming.checkpoint_io import WholeCheckpointIO

SMALL = ["model.width=32", "model.hidden=64", "model.dropout=0.1"]
TEXT = [*SMALL, "length=64"]
FAMILIES = {
    "gpt": [*TEXT, "tokenizer=bytes", "callbacks.samples.writer.decoding.count=8"],
    "bert": [*TEXT, "model.vocab_size=600", "optimizer=muon"],
    "t5": [*TEXT, "model.vocab_size=600", "trainer.workers=2", "callbacks.samples.writer.count=8"],
    "vit": [*SMALL, "callbacks=[default,average]"],
    "distilbert": [*TEXT, "model.vocab_size=600"],
    "deit": SMALL,
}
TEACHERS = {
    "distilbert": ["experiment=bert", "model.vocab_size=600", "model.width=32", "model.hidden=64", "length=64"],
    "deit": ["experiment=vit", "model.width=32", "model.hidden=64"],
}
COMMON = ["debug=fast", "max_steps=6", "trainer.validate_every=2", "trainer.save_every=3", "seed=0"]


def interrupted(run: Path, at: int, copy: Path) -> Path:
    """What is left of a run that was killed right after its checkpoint at step `at`."""
    shutil.copytree(run, copy, symlinks=True)
    folder = copy / "checkpoints"
    for file in folder.glob("step-*"):
        if int(file.name[5:13]) > at:
            file.unlink()
    for name in ("last.ckpt", "last.ckpt.sha256"):
        (folder / name).unlink()
        (folder / name).symlink_to(name.replace("last", f"step-{at:08d}"))
    return copy


def test_what_is_spent_does_not_depend_on_the_micro_batch(composed):
    sizes = ["max_steps=2", "global_batch=4", "micro_batch=2"]
    config = composed("experiment=gpt", *TEXT, "tokenizer=bytes", *COMMON, *sizes, "samples=none")
    train(config)
    train(config | {"resume": True, "max_steps": 4, "micro_batch": 4})
    rows = read_curves(Path(config["run_dir"]) / "metrics.csv")
    spent = {step: value for step, name, value in rows if name == "spent/flops"}
    assert spent[4] == pytest.approx(2 * spent[2], rel=1e-6) and spent[2] > 0


def contents(run: Path) -> dict:
    return WholeCheckpointIO().load_checkpoint(run / "checkpoints" / "last.ckpt")


def equal(a, b) -> bool:
    if isinstance(a, torch.Tensor):
        return torch.equal(a, b)
    if isinstance(a, dict):
        return a.keys() == b.keys() and all(equal(a[key], b[key]) for key in a)
    if isinstance(a, list | tuple):
        return len(a) == len(b) and all(map(equal, a, b))
    return a == b


@pytest.fixture(scope="module")
def finished(composed):
    """A family's name -> the config of its run, which is trained once and must not be changed."""

    @functools.cache
    def config_of(name: str) -> dict:
        overrides = [f"experiment={name}", *FAMILIES[name], *COMMON]
        if name in TEACHERS:
            teacher = composed(*TEACHERS[name], *COMMON)
            train(teacher)
            overrides.append(f"objective.teacher={teacher['run_dir']}")
        config = composed(*overrides)
        train(config)
        return config

    return config_of


@pytest.fixture(
    scope="module",
    params=[pytest.param(each, marks=pytest.mark.slow) if each in TEACHERS else each for each in FAMILIES],
)
def family(request, finished):
    return finished(request.param)


def copied(config: dict, folder: Path) -> dict:
    """The config of a copy of that run."""
    return config | {"run_dir": str(shutil.copytree(config["run_dir"], folder / "run", symlinks=True))}


def test_resumed_equals_uninterrupted(family, tmp_path):
    run = Path(family["run_dir"])
    copy = interrupted(run, 3, tmp_path / "copy")
    train(family | {"run_dir": str(copy), "resume": True})
    whole, resumed = contents(run), contents(copy)
    for part in (
        "state_dict",
        "optimizer_states",
        "lr_schedulers",
        "random_states",
        "DataModule",
        "global_step",
    ):
        assert equal(whole[part], resumed[part]), part
    average = [state["average"] for state in whole["callbacks"].values() if "average" in state]
    assert equal(average, [s["average"] for s in resumed["callbacks"].values() if "average" in s])
    curves, again = (
        [row for row in read_curves(path / "metrics.csv") if not row[1].startswith("speed/")] for path in (run, copy)
    )
    assert curves == again
    assert (run / "metrics.json").read_text().split('"val')[1:] == (copy / "metrics.json").read_text().split('"val')[1:]


def test_evaluation_from_the_directory_equals_training_exactly(family):
    run = Path(family["run_dir"])
    trained = {k: v for k, v in json.loads((run / "metrics.json").read_text()).items() if k.startswith("val/")}
    assert trained == {f"val/{k}": v for k, v in evaluate_run(str(run)).items()}
    assert evaluate_run(str(run), split="test", checkpoint="best").keys() == evaluate_run(str(run)).keys()


@pytest.mark.parametrize(
    "wrong, message", [({"split": "train"}, "split=train"), ({"checkpoint": "worst"}, "best.ckpt")]
)
def test_evaluation_of_what_is_not_there(family, wrong, message):
    with pytest.raises((ValueError, FileNotFoundError), match=message):
        evaluate_run(family["run_dir"], **wrong)


@pytest.mark.parametrize("forget", [pytest.param("random_states", marks=pytest.mark.slow), "samples_seen"])
def test_without_the_state_it_does_not(finished, tmp_path, forget):
    """The negative control: the equality above is the state's doing."""
    config = finished("gpt")
    copy = interrupted(Path(config["run_dir"]), 3, tmp_path / "copy")
    checkpoint = contents(copy)
    if forget == "random_states":
        del checkpoint["random_states"]
    else:
        checkpoint["DataModule"]["samples_seen"] = 0
    WholeCheckpointIO().save_checkpoint(checkpoint, copy / "checkpoints" / "step-00000003.ckpt")
    train(config | {"run_dir": str(copy), "resume": True})
    assert not equal(contents(Path(config["run_dir"]))["state_dict"], contents(copy)["state_dict"])


def test_a_run_from_when_every_matrix_decayed_goes_on_so(composed, tmp_path, monkeypatch):
    """Its optimizer's state fits, and it ends where it would have ended."""
    decayed = ["max_steps=4", "trainer.save_every=2", "optimizer.weight_decay=0.5"]
    config = composed("experiment=vit", *COMMON, "model.width=32", "model.hidden=64", *decayed)
    with monkeypatch.context() as before:
        before.setattr("variformer.training.tuning.decay_groups", decay_groups_of_before)
        train(config)
    copy = interrupted(Path(config["run_dir"]), 2, tmp_path / "copy")
    train(config | {"run_dir": str(copy), "resume": True})
    whole, resumed = contents(Path(config["run_dir"])), contents(copy)
    assert all(equal(whole[part], resumed[part]) for part in ("state_dict", "optimizer_states", "lr_schedulers"))


def test_another_number_of_samples_is_refused(finished, tmp_path):
    """As many as a text is cut into depend on the length."""
    config = copied(finished("gpt"), tmp_path)
    with pytest.raises(ValueError, match=r"samples=\d+, and this run has"):
        train(config | {"length": config["length"] // 2, "resume": True, "max_steps": 8})


def test_evaluation_takes_as_many_samples_at_a_time_as_is_said(composed, monkeypatch):
    """And the numbers are those of the run."""
    config = composed(
        "experiment=vit", "debug=fast", *SMALL, "max_steps=2", "trainer.validation_samples=24", "eval_batch=8"
    )
    train(config)
    sizes, step = [], Training.validation_step
    monkeypatch.setattr(
        Training, "validation_step", lambda self, b, i: sizes.append(len(b["index"])) or step(self, b, i)
    )
    metrics = evaluate_run(config["run_dir"], eval_batch=5)
    assert sizes == [5, 5, 5, 5, 4]
    trained = json.loads((Path(config["run_dir"]) / "metrics.json").read_text())
    assert metrics == {name: pytest.approx(trained[f"val/{name}"], rel=1e-5) for name in metrics}
    with pytest.raises(ValueError, match="eval_batch=0"):
        evaluate_run(config["run_dir"], eval_batch=0)


def test_an_evaluation_that_runs_out_of_memory_says_what_to_set(composed, monkeypatch):
    config = composed("experiment=vit", "debug=fast", *SMALL, "max_steps=2", "eval_batch=8")
    train(config)
    monkeypatch.setattr(Training, "validation_step", lambda *_: (_ for _ in ()).throw(MemoryError()))
    with pytest.raises(OutOfMemory, match="set eval_batch=4"):
        evaluate_run(config["run_dir"])


@pytest.mark.parametrize("change", ["seed=1", "global_batch=8"])
def test_another_order_of_samples_is_refused(finished, tmp_path, change):
    config = copied(finished("vit"), tmp_path)
    name, value = change.split("=")
    kept = [Path(config["run_dir"]) / file for file in ("config.yaml", "run.json")]
    before = [file.read_text() for file in kept]
    with pytest.raises(ValueError, match=f"{name}="):
        train(config | {name: int(value), "resume": True, "max_steps": 8})
    assert [file.read_text() for file in kept] == before  # the mistake has spoiled nothing
    train(config | {"resume": True, "max_steps": 8})
    assert "max_steps: 8" in kept[0].read_text()
