"""`repeat=RUN`: run.json is enough to do the same again, and what differs is reported or refused."""

import json
import shutil
import subprocess
from pathlib import Path

import pytest
import torch
from hydra import compose, initialize_config_dir
from hydra.core.hydra_config import HydraConfig

import variformer.config
from variformer.config import ConfigError
from variformer.run_directory.directory import RunDirectory, code_state
from variformer.runs.plan import plan
from variformer.runs.train import train
from variformer.training.loggers import read_curves
from variformer.training.resuming.checkpoint_io import WholeCheckpointIO

from ..processes import ROOT, command

SMALL = ["debug=fast", "model.width=32", "model.depth=2", "model.heads=2", "model.hidden=64", "model.dropout=0.1"]
SMALL += ["callbacks.throughput=null"]
TEXT = ["length=32", *SMALL]
FAMILIES = {
    "gpt": ["experiment=gpt", "tokenizer=bytes", "model.vocab_size=300", "seed=3", *TEXT],
    "bert": ["experiment=bert", "model.vocab_size=600", *TEXT],
    "t5": ["experiment=t5", "model.vocab_size=600", *TEXT],
    "vit": ["experiment=vit", "callbacks=[default,average]", *SMALL],
}


@pytest.fixture
def repeated(tmp_path, monkeypatch):
    """Overrides -> the config that `python train.py` composes from them, in a new run directory."""
    variformer.config.register_resolvers()
    monkeypatch.setattr(HydraConfig.instance(), "cfg", None)

    def composed(*overrides: str) -> dict:
        folder = tmp_path / f"repeated{len(list(tmp_path.glob('repeated*')))}"
        folder.mkdir()
        with initialize_config_dir(str(ROOT / "conf"), version_base="1.3"):
            config = compose("train", overrides=[*overrides, f"run_dir={folder}"], return_hydra_config=True)
        HydraConfig.instance().set_config(config)
        return variformer.config.compose(config)

    return composed


@pytest.fixture(scope="module")
def vit(composed) -> Path:
    config = composed(*FAMILIES["vit"])
    train(config)
    return Path(config["run_dir"])


def weights(run: Path) -> dict:
    return WholeCheckpointIO().load_checkpoint(run / "checkpoints" / "last.ckpt")["state_dict"]


def same_weights(a: Path, b: Path) -> bool:
    first, second = weights(a), weights(b)
    return first.keys() == second.keys() and all(torch.equal(first[name], second[name]) for name in first)


def curves(run: Path) -> list:
    return [row for row in read_curves(run / "metrics.csv") if not row[1].startswith("speed/")]


def record(run: Path) -> dict:
    return json.loads((run / "run.json").read_text())


def differences(run: Path) -> list[str]:
    """What a repeated run tells, but for files that somebody who runs the tests has not committed yet."""
    lines = record(run)["repeats"]["differences"]
    return [line for line in lines if not line.startswith("files that were in no commit")]


def altered(run: Path, copy: Path, change) -> Path:
    """A copy of a run's record, with something else in it."""
    kept = record(run)
    change(kept)
    copy.write_text(json.dumps(kept))
    return copy


@pytest.mark.parametrize("name", FAMILIES)
def test_a_repeated_run_is_bitwise_the_same(composed, repeated, tmp_path, name):
    config = composed(*FAMILIES[name])
    train(config)
    run, kept = Path(config["run_dir"]), tmp_path / "run.json"
    shutil.copy(run / "run.json", kept)  # the record alone is enough
    again = repeated(f"repeat={kept}")
    train(again)
    assert same_weights(run, Path(again["run_dir"]))
    assert curves(run) == curves(Path(again["run_dir"])) and curves(run)
    assert record(Path(again["run_dir"]))["repeats"]["run"] == str(kept)
    assert differences(Path(again["run_dir"])) == []


def test_overrides_beside_it_are_applied_and_told(vit, repeated, caplog):
    again = repeated(f"repeat={vit}", "seed=7", "optimizer.adamw_lr=0.5")
    assert (again["seed"], again["optimizer"]["adamw_lr"]) == (7, 0.5)
    train(again)
    reported = differences(Path(again["run_dir"]))
    assert reported[0] == "seed: 0 then, 7 now" and "optimizer.adamw_lr: " in reported[1]
    assert f"differs from {vit}: seed: 0 then, 7 now" in caplog.text
    assert not same_weights(vit, Path(again["run_dir"]))  # the negative control of the test above


@pytest.mark.parametrize(
    "overrides, message",
    [
        (["repeat=nowhere"], "repeat=nowhere is not a run"),
        (["experiment=bert"], "experiment: not a value of the run"),
        (["+sede=1"], "did you mean `seed`"),
        (["model.heads=7"], "model.width: 32 is not divisible"),
    ],
)
def test_mistakes_are_answered_before_anything_is_built(vit, repeated, overrides, message):
    there = [] if overrides[0].startswith("repeat=") else [f"repeat={vit}"]
    with pytest.raises((ConfigError, FileNotFoundError), match=message):
        repeated(*there, *overrides)


def test_a_record_without_a_config_is_refused(vit, repeated, tmp_path):
    old = altered(vit, tmp_path / "old.json", lambda kept: kept.pop("config"))
    with pytest.raises(ConfigError, match="holds no config, because an earlier version"):
        repeated(f"repeat={old}")


def test_a_record_with_validation_batches_is_repeated(vit, repeated, tmp_path):
    def as_before(kept):
        kept["config"]["trainer"]["validation_batches"] = 2
        del kept["config"]["trainer"]["validation_samples"]

    with pytest.warns(UserWarning, match="validation_batches=2"):
        config = repeated(f"repeat={altered(vit, tmp_path / 'before.json', as_before)}")
    assert config["trainer"]["validation_samples"] == 2 * (config["eval_batch"] or config["micro_batch"])


def test_a_sent_record_runs_no_code_and_reads_no_environment(vit, repeated, tmp_path):
    def run_code(kept):
        kept["config"]["schedule"] = {"_target_": "os.system", "command": "true"}

    def read_environment(kept):
        kept["config"]["name"] = "${oc.env:HOME}"

    with pytest.raises(ConfigError, match=r"schedule\._target_: `os\.system` is not allowed"):
        repeated(f"repeat={altered(vit, tmp_path / 'code.json', run_code)}")
    with pytest.raises(ConfigError, match="has an interpolation"):
        repeated(f"repeat={altered(vit, tmp_path / 'environment.json', read_environment)}")


def test_other_data_is_refused_unless_told(vit, repeated, tmp_path):
    other = altered(vit, tmp_path / "other.json", lambda kept: kept["data"].update(fingerprint="0123456789abcdef"))
    refused = repeated(f"repeat={other}")
    with pytest.raises(ConfigError, match=r"data: fingerprint 0123456789 then, (?s:.*)repeat_anyway=true"):
        train(refused)
    assert not (Path(refused["run_dir"]) / "checkpoints").exists()
    with pytest.raises(ConfigError, match="data: fingerprint 0123456789 then"):
        plan(refused)  # as validate_only=true does
    with pytest.raises(ConfigError, match="data: fingerprint"):
        train(repeated(f"repeat={other}", "seed=7"))  # which has nothing to do with the data
    anyway = repeated(f"repeat={other}", "repeat_anyway=true")
    train(anyway)
    (difference,) = differences(Path(anyway["run_dir"]))
    assert difference.startswith("data: fingerprint 0123456789 then")


def test_versions_code_and_hardware_that_differ_are_told(vit, repeated, tmp_path):
    def change(kept):
        session = kept["sessions"][-1]
        session["packages"]["torch"] = "1.13.0"
        session["hardware"]["threads"] = 99
        session["code"] = {"commit": "a" * 40, "dirty": True, "diff_sha256": "b" * 64, "untracked": ["src/new.py"]}

    again = repeated(f"repeat={altered(vit, tmp_path / 'run.json', change)}")
    train(again)
    reported = "\n".join(record(Path(again["run_dir"]))["repeats"]["differences"])
    assert f"torch: 1.13.0 then, {torch.__version__.partition('+')[0]}" in reported
    assert "threads: 99 then" in reported
    assert "commit: aaaaaaaaaa then" in reported
    assert f"uncommitted changes: bbbbbbbbbb then (kept in {tmp_path})" in reported
    assert "src/new.py" in reported
    assert same_weights(vit, Path(again["run_dir"]))


def test_what_a_resumed_run_did_with_other_values_is_told(composed, repeated):
    config = composed("experiment=vit", *SMALL, "max_steps=2")
    train(config)
    longer = config | {"max_steps": 4, "resume": True}
    train(longer)
    sessions = record(Path(config["run_dir"]))["sessions"]
    assert [each.get("changed") for each in sessions] == [None, ["max_steps: 2 then, 4 now"]]
    again = repeated(f"repeat={config['run_dir']}")
    train(again)
    assert differences(Path(again["run_dir"])) == ["resumed with max_steps: 2 then, 4 now"]


def git(folder: Path, *arguments: str) -> str:
    identity = ["-c", "user.name=n", "-c", "user.email=e@example.org"]
    done = subprocess.run(["git", *identity, *arguments], cwd=folder, check=True, capture_output=True, text=True)
    return done.stdout


def test_the_difference_to_the_commit_is_kept_and_applies(tmp_path, monkeypatch):
    code, run = tmp_path / "code", RunDirectory(tmp_path / "run")
    (code / "src").mkdir(parents=True)
    run.path.mkdir()
    file = code / "src" / "module.py"
    file.write_text("a = 1\n\n")
    git(code, "init", "-q")
    git(code, "add", ".")
    git(code, "commit", "-qm", "one")
    monkeypatch.setattr("variformer.run_directory.directory.__file__", str(file))
    run.set_record()
    assert not list(run.path.glob("*.diff"))
    file.write_bytes("a = 2  # é\n\n".encode("latin-1"))
    (code / "src" / "new.py").write_text("")
    run.set_record()
    run.set_record()
    assert [path.name for path in run.path.glob("*.diff")] == ["code.2.diff"]
    kept = record(run.path)["sessions"][1]["code"]
    assert kept["dirty"] and kept["untracked"] == ["src/new.py"]
    changed = file.read_bytes()
    git(code, "checkout", "-q", "src/module.py")
    git(code, "apply", str(run.path / "code.2.diff"))
    assert file.read_bytes() == changed


def test_an_installed_package_has_no_foreign_commit(tmp_path, monkeypatch):
    """As where a project, which is a repository, has its environment in itself."""
    file = tmp_path / ".venv" / "site-packages" / "variformer" / "run_directory.py"
    file.parent.mkdir(parents=True)
    file.touch()
    (tmp_path / "theirs.py").touch()
    git(tmp_path, "init", "-q")
    git(tmp_path, "add", "theirs.py")
    git(tmp_path, "commit", "-qm", "one")
    monkeypatch.setattr("variformer.run_directory.directory.__file__", str(file))
    assert code_state() == {}
    git(tmp_path, "add", str(file))
    assert code_state().keys() >= {"commit"}


@pytest.mark.slow
def test_the_command_repeats_a_run_in_a_new_directory_beside_it(vit, tmp_path):
    smoothing = record(vit)["config"]["objective"]["label_smoothing"]  # a GPT has none
    arguments = [f"repeat={vit}", "trainer.progress=false", f"objective.label_smoothing={smoothing}"]
    done = command("train.py", *arguments, folder=tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr
    (again,) = (tmp_path / "runs" / "vit").iterdir()
    assert same_weights(vit, again)
    assert "trainer.progress: True then, False now" in done.stdout + done.stderr
