"""What training runs leave on dashboards, read back from their files."""

import json
import os
import signal
import subprocess
import sys
import time
from contextlib import redirect_stdout
from io import StringIO
from pathlib import Path
from types import SimpleNamespace

import pytest
import yaml

from variformer.run_directory.curves import read_curves
from variformer.runs.train import train
from variformer.training.callbacks import Curves

ROOT = Path(__file__).parents[2]
SMALL = ["experiment=gpt", "debug=fast", "tokenizer=bytes", "model.vocab_size=300", "trainer.progress=false"]
SMALL += ["model.width=32", "model.hidden=64"]
BOTH = [*SMALL, "logger=[wandb,tensorboard]"]
ABOUT = ["logger.wandb.group=a group", "logger.wandb.job_type=a type", "logger.wandb.tags=[one,two]"]
SECRETS = {"WANDB_API_KEY": "0123456789" * 4, "HF_TOKEN": "hf_planted", "AWS_SECRET_ACCESS_KEY": "aws_planted"}


@pytest.fixture(scope="module")
def run(composed, sessions):
    """A run to its end, with validations at other steps than the logged ones."""
    more = ["max_steps=5", "trainer.log_every=3", "trainer.validate_every=2", "logger.wandb.artifacts=best"]
    more.append("callbacks.samples.writer.decoding.count=8")
    config, printed = composed(*BOTH, *ABOUT, *more), StringIO()
    with pytest.MonkeyPatch.context() as patch, redirect_stdout(printed):
        for name, value in SECRETS.items():
            patch.setenv(name, value)
        train(config)
    path = Path(config["run_dir"])
    [session] = sessions(path)
    return SimpleNamespace(path=path, config=config, session=session, printed=printed.getvalue())


def test_wandb_gets_the_nested_config_and_what_ran(run):
    logged, record = run.session.config, json.loads((run.path / "run.json").read_text())
    assert {key: logged[key] for key in run.config} == yaml.safe_load((run.path / "config.yaml").read_text())
    assert logged["model"]["positions"] == run.config["model"]["positions"] and len(logged["model"]) > 5
    assert logged["run_dir"] == str(run.path) and logged["parameters"] == record["parameters"] > 0
    assert logged["code"].keys() >= {"commit", "dirty"} or not logged["code"]
    about = run.session.run
    assert (about.run_group, about.job_type, list(about.tags)) == ("a group", "a type", ["one", "two"])
    assert about.display_name == "gpt" and about.run_id == record["wandb"]["id"]


def test_wandb_gets_each_curve_with_steps_tokens_and_flops(run):
    rows = run.session.rows
    logged = {(row["trainer/global_step"], name): row[name] for row in rows for name in row if is_curve(name)}
    assert logged == {(step, name): value for step, name, value in read_curves(run.path / "metrics.csv")}
    assert [row["trainer/global_step"] for row in rows] == [row["_step"] for row in rows] == [2, 3, 4, 5]
    assert all({"spent/tokens", "spent/flops"} <= row.keys() for row in rows)
    assert [row["spent/tokens"] for row in rows] == [step * 4 * 128 for step in (2, 3, 4, 5)]
    assert run.session.axes["*"] == "trainer/global_step"


def is_curve(name: str) -> bool:
    return "/" in name and not name.startswith(("trainer/", "figures/"))


def test_wandb_gets_samples_as_a_table_and_figures_as_images(run):
    files = run.session.folder / "files"
    last = run.session.rows[-1]
    table = json.loads((files / run.session.rows[-2]["samples"]["path"]).read_text())
    texts = [[step, (run.path / f"samples/step-{step:08d}.txt").read_text()] for step in (2, 4)]
    assert table["columns"] == ["step", "text"] and table["data"] == texts
    [image] = last["figures/curves"]["filenames"]
    assert (files / image).read_bytes() == (run.path / "figures/curves.png").read_bytes()


def test_wandb_gets_the_best_checkpoint_as_a_run_directory(run):
    [artifact] = [each for each in run.session.artifacts if each.type == "model"]
    names = {each.path for each in artifact.manifest.contents}
    assert {"checkpoints/best.ckpt", "checkpoints/best.ckpt.sha256", "config.yaml", "tokenizer/tokenizer.json"} <= names
    assert not any("step-" in name for name in names)


def test_a_finished_run_exits_with_zero_and_tells_how_to_send_it(run):
    assert run.session.exit == 0 and run.session.summary["status"] == "done" and not run.session.preempting
    assert f"wandb sync {run.session.folder}" in run.printed


def test_no_secret_reaches_a_file(run):
    files = [path for path in run.path.rglob("*") if path.is_file()]
    assert any(path.suffix == ".wandb" for path in files)
    found = [(path, name) for path in files for name, value in SECRETS.items() if value.encode() in path.read_bytes()]
    assert not found


def test_tensorboard_gets_the_same_curves_samples_and_figures(run):
    events = accumulated(run.path)
    logged = [(each.step, name, each.value) for name in events.Tags()["scalars"] for each in events.Scalars(name)]
    curves = read_curves(run.path / "metrics.csv")
    assert sorted(logged) == [(step, name, pytest.approx(value)) for step, name, value in sorted(curves)]
    texts = [each.tensor_proto.string_val[0].decode() for each in events.Tensors("samples/text_summary")]
    for text, file in zip(texts, sorted((run.path / "samples").iterdir()), strict=True):
        assert file.read_text() in text
    assert "vocab_size: 300" in events.Tensors("config/text_summary")[0].tensor_proto.string_val[0].decode()
    assert [each.width > 100 for each in events.Images("figures/curves")] == [True]


def accumulated(run: Path):
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    return EventAccumulator(str(run / "tensorboard"), size_guidance={"scalars": 0, "tensors": 0}).Reload()


def test_metrics_csv_has_one_value_for_each_step_and_metric(run):
    places = [row[:2] for row in read_curves(run.path / "metrics.csv")]
    assert len(places) == len(set(places)) and (5, "val/loss") in places


def at_step(monkeypatch, step: int, act) -> None:
    """Do something once a step has been logged."""
    log = Curves.on_train_batch_end

    def then_act(self, trainer, *rest):
        log(self, trainer, *rest)
        if trainer.global_step == step:
            act()

    monkeypatch.setattr(Curves, "on_train_batch_end", then_act)


def stop(_: object = None) -> None:
    raise RuntimeError("stopped on purpose")


@pytest.mark.parametrize(
    ("act", "error", "status", "code"),
    [
        pytest.param(stop, RuntimeError, "failed", 1, marks=pytest.mark.slow),
        (lambda: signal.raise_signal(signal.SIGTERM), SystemExit, "preempted", 143),
        pytest.param(lambda: signal.raise_signal(signal.SIGINT), SystemExit, "preempted", 143, marks=pytest.mark.slow),
    ],
    ids=["error", "SIGTERM", "Ctrl-C"],
)
def test_an_ended_run_is_marked_and_goes_on_as_the_same_run(composed, sessions, monkeypatch, act, error, status, code):
    config = composed(*BOTH, "max_steps=5", "trainer.validate_every=5", "samples=none")
    run = Path(config["run_dir"])
    with monkeypatch.context() as patch, pytest.raises(error):
        at_step(patch, 3, act)
        train(config)
    [first] = sessions(run)
    assert (first.exit, first.summary["status"], first.preempting) == (code, status, status == "preempted")
    train(config | {"resume": True})
    first, second = sessions(run)
    assert second.exit == 0 and second.run.run_id == first.run.run_id
    taken = [row["trainer/global_step"] for row in first.rows + second.rows]
    assert sorted(set(taken)) == [1, 2, 3, 4, 5] and taken.count(3) <= 2 and len(taken) <= 6
    losses = {row["trainer/global_step"]: row["train/loss"] for row in first.rows + second.rows}
    assert losses == {step: value for step, name, value in read_curves(run / "metrics.csv") if name == "train/loss"}
    assert [each.step for each in accumulated(run).Scalars("train/loss")] == [1, 2, 3, 4, 5]


@pytest.mark.slow
def test_training_ends_well_without_wandbs_own_process(tmp_path):
    command = [
        sys.executable,
        str(ROOT / "train.py"),
        *SMALL,
        "logger=wandb",
        "max_steps=30",
        f"run_dir={tmp_path}/run",
    ]
    alone = {name: value for name, value in os.environ.items() if name != "WANDB_SERVICE"}  # not this process's
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.STDOUT, "text": True}
    with subprocess.Popen(command, cwd=tmp_path, env=alone, **pipes) as process:
        while process.poll() is None and not read_curves(tmp_path / "run/metrics.csv"):
            time.sleep(0.02)
        os.kill(service_of(process.pid), signal.SIGKILL)
        printed, _ = process.communicate(timeout=280)
    assert process.returncode == 0, printed
    assert printed.count("W&B gets nothing more of this run, which goes on") == 1
    assert {row[0] for row in read_curves(tmp_path / "run/metrics.csv")} == set(range(1, 31))


def service_of(process: int) -> int:
    """The id of wandb-core, a child of a process that logs to W&B."""
    for path in Path("/proc").glob("[0-9]*/stat"):
        name, _, rest = path.read_text().partition(") ")
        if "wandb-core" in name and int(rest.split()[1]) == process:
            return int(path.parent.name)
    raise AssertionError("no wandb-core")
