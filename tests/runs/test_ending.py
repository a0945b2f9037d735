"""A training that ends before its last step says so: on screen, in its directory and on dashboards."""

import json
import math
import multiprocessing
import time
from pathlib import Path
from types import SimpleNamespace

import pytest
from lightning.pytorch.callbacks import Callback

from variformer.run_directory.directory import RunDirectory
from variformer.runs.console import process_seconds
from variformer.runs.ending import early, ending
from variformer.runs.train import train
from variformer.training.callbacks import EarlyStopping, Pruning
from variformer.training.loggers import CSV, TensorBoard
from variformer.training.loggers.wandb import Wandb
from variformer.training.signals import Preempted

STOPPING = ["experiment=vit", "debug=fast", "callbacks=[default,early_stopping]", "callbacks.early_stopping.patience=1"]
STOPPING += ["callbacks.early_stopping.min_delta=100", "trainer.validate_every=1", "max_steps=8"]
STOPPING += ["trainer.progress=false", "callbacks.throughput=null", "model.width=32", "model.hidden=64"]


def test_an_early_stop_is_shown_everywhere(composed, capsys, monkeypatch):
    shown = []
    monkeypatch.setattr(TensorBoard, "log_end", lambda self, line, facts, step: shown.append((line, facts, step)))
    config = composed(*STOPPING, "logger=tensorboard")
    train(config)
    run = RunDirectory(config["run_dir"])
    status, metrics = (json.loads(path.read_text()) for path in (run.status_file, run.metrics))
    assert status["status"] == "done" and "traceback" not in status
    for facts in (status, metrics):
        assert (facts["ended"], facts["step"], facts["max_steps"]) == ("early_stopping", 2, 8)
        assert facts["metric"].startswith("val/") and math.isfinite(facts["best"]) and facts["best_step"] in (1, 2)
    out = capsys.readouterr().out
    assert f"ended early, at step 2 of 8 (early_stopping); best {status['metric']} {status['best']:.4f} at step" in out
    [(line, facts, step)] = shown
    assert line in out and facts["ended"] == "early_stopping" and step == 2


def test_a_full_run_says_that_it_is_one(composed, capsys):
    config = composed(*STOPPING, "callbacks.early_stopping.patience=9", "max_steps=2")
    train(config)
    run = RunDirectory(config["run_dir"])
    assert (
        json.loads(run.status_file.read_text())["ended"] == json.loads(run.metrics.read_text())["ended"] == "max_steps"
    )
    out = capsys.readouterr().out
    assert "early" not in out and "\nexports: as ViTForImageClassification\n" in out


@pytest.fixture
def at_step_four(tmp_path):
    """(callbacks) -> what is known of a run of 8 steps that ended after 4."""
    log = CSV(tmp_path / "metrics.csv")
    for step, value in [(1, 3.0), (2, 1.0), (3, math.nan), (4, 2.0)]:
        log.log_metrics({"val/loss": value, "train/loss": 0.0}, step)
    module = SimpleNamespace(objective=SimpleNamespace(monitor="loss", mode="min"))

    def facts(*callbacks: Callback) -> dict:
        trainer = SimpleNamespace(global_step=4, max_steps=8, callbacks=list(callbacks))
        return ending(trainer, module, RunDirectory(tmp_path))

    return facts


def test_a_pruned_trial_and_other_ends_have_their_best(at_step_four):
    pruning = Pruning({})
    pruning.stops = True
    best = {"step": 4, "max_steps": 8, "metric": "val/loss", "best": 1.0, "best_step": 2}
    assert at_step_four(pruning) == {"ended": "pruned"} | best
    assert at_step_four(EarlyStopping()) == {"ended": "stopped"} | best
    assert early(at_step_four()) == "ended early, at step 4 of 8 (stopped); best val/loss 1.0000 at step 2"


def test_dashboards_show_an_early_end(monkeypatch, tmp_path):
    texts, summary = [], {}
    monkeypatch.setattr(TensorBoard, "experiment", SimpleNamespace(add_text=lambda *given: texts.append(given)))
    monkeypatch.setattr(Wandb, "experiment", SimpleNamespace(summary=summary))
    for kind in (TensorBoard, Wandb):
        kind(str(tmp_path)).log_end("ended early", {"ended": "pruned", "step": 3}, 3)
    assert texts == [("ended", "ended early", 3)] and summary == {"ended": "pruned", "step": 3}


def test_an_orderly_stop_leaves_no_traceback(tmp_path):
    run = RunDirectory(tmp_path)
    try:
        raise Preempted(15)
    except Preempted as stop:
        run.set_status("preempted", stop)
    status = json.loads(run.status_file.read_text())
    assert status["error"] == "stopped by SIGTERM" and "traceback" not in status
    run.set_status("failed", ValueError("a bad batch"))
    assert "a bad batch" in json.loads(run.status_file.read_text())["traceback"]


def test_time_counts_from_the_start_of_the_process():
    """And not from the import, which the parent of a forked process has done long before."""
    context = multiprocessing.get_context("fork")
    receiver, sender = context.Pipe(duplex=False)
    time.sleep(0.5)
    began = time.monotonic()
    process = context.Process(target=lambda: (time.sleep(0.5), sender.send(process_seconds())))
    process.start()
    seconds = receiver.recv()
    process.join()
    assert 0.5 <= seconds <= time.monotonic() - began + 0.02  # the system counts in hundredths


def test_more_patience_goes_on_and_as_much_does_not(composed, capsys):
    """The patience lies in the checkpoint, and the config's counts."""
    config = composed(*STOPPING)
    train(config)
    callbacks = config["callbacks"]
    train(
        config
        | {"resume": True, "callbacks": callbacks | {"early_stopping": callbacks["early_stopping"] | {"patience": 3}}}
    )
    assert json.loads((Path(config["run_dir"]) / "metrics.json").read_text())["step"] == 4
    assert "ended early, at step 4 of 8" in capsys.readouterr().out
