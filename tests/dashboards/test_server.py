"""W&B with a server, without one, and with one that dies."""

import json
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest

from variformer.training.loggers import Wandb, wandb_session


def logger(folder: Path, resume_step: int | None = None) -> Wandb:
    if not (folder / "run.json").is_file():
        (folder / "run.json").write_text("{}")
    return Wandb(str(folder), resume_step)


def test_a_server_gets_every_row_and_the_exit_code(server, online, tmp_path):
    online(server.url)
    log = logger(tmp_path)
    for step in range(1, 5):
        log.log_metrics({"train/loss": step / 3}, step)
        log.log_metrics({"val/loss": step / 7}, step)
    log.close("done")
    sent = [(row["trainer/global_step"], row["train/loss"], row["val/loss"]) for row in server.rows]
    assert sent == [(step, step / 3, step / 7) for step in range(1, 5)]
    assert server.exits == [0]


def test_a_resumed_run_goes_on_under_its_id_and_repeats_no_step(server, online, tmp_path):
    online(server.url)
    first = logger(tmp_path)
    for step in range(1, 6):
        first.log_metrics({"train/loss": step / 3}, step)
    first.close("failed")
    assert server.exits == [1]
    again = logger(tmp_path, resume_step=3)
    for step in range(4, 9):
        again.log_metrics({"train/loss": step / 3}, step)
    again.close("done")
    assert len(server.known) == 1 and json.loads((tmp_path / "run.json").read_text())["wandb"]["id"] in server.known
    assert [row["trainer/global_step"] for row in server.rows] == list(range(1, 9))


@pytest.mark.parametrize(("status", "code"), [("done", 0), ("pruned", 0), ("preempted", 143), ("failed", 1)])
def test_it_gets_how_the_run_ended_although_a_row_was_refused(
    status, code, server, online, tmp_path, monkeypatch, capsys
):
    online(server.url)
    log = logger(tmp_path)
    log.log_metrics({"train/loss": 1.0}, 1)
    with monkeypatch.context() as patch:
        patch.setattr(log.experiment, "log", lambda *_, **__: (_ for _ in ()).throw(OSError("no space left")))
        log.log_metrics({"train/loss": 2.0}, 2)
    assert log.is_off
    log.close(status)
    assert server.exits == [code] and len(server.rows) == 1
    assert "wandb sync" not in capsys.readouterr().out  # it has this run


@pytest.fixture(params=["closed port", "silent", "no login"])
def useless(request, server):
    """(address, key) of a server that cannot take a run."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        if request.param == "silent":
            listener.listen()
        here = f"http://127.0.0.1:{listener.getsockname()[1]}"
        yield (server.url, "") if request.param == "no login" else (here, "0" * 40)


def test_without_server_or_login_it_goes_offline_in_seconds(useless, online, tmp_path, capsys):
    online(*useless)
    began = time.perf_counter()
    log = logger(tmp_path)
    log.log_metrics({"train/loss": 1.0}, 1)
    assert time.perf_counter() - began < 10
    log.close("done")
    [session] = tmp_path.glob("wandb/offline-run-*")
    printed = capsys.readouterr().out
    assert "W&B goes offline" in printed and useless[0] in printed
    assert f"wandb sync {session}" in printed


@pytest.mark.slow
def test_a_server_that_dies_holds_nothing_up(server, online, tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(wandb_session, "FINISH_TIMEOUT", 3.0)
    online(server.url)
    log = logger(tmp_path)
    log.log_metrics({"train/loss": 1.0}, 1)
    server.shutdown()
    server.server_close()
    began = time.perf_counter()
    for step in range(2, 2000):
        log.log_metrics({"train/loss": 1.0}, step)
    log.close("done")
    assert time.perf_counter() - began < 20
    session = next(tmp_path.glob("wandb/run-*"))
    command = f"wandb sync --include-online {session}"
    assert command in capsys.readouterr().out
    shown = subprocess.run(
        [sys.executable, "-m", *command.split(), "--dry-run"], capture_output=True, text=True, timeout=60
    )
    assert session.name in shown.stdout + shown.stderr and "Skip" not in shown.stdout + shown.stderr


def test_what_comes_out_later_and_what_cannot_be_uploaded(sessions, tmp_path, monkeypatch, capsys):
    """The config is amended; without its artifact, a run is finished all the same."""

    def fails(*_):
        raise OSError("the upload broke")

    monkeypatch.setattr("variformer.training.loggers.wandb.upload", fails)
    log = logger(tmp_path)
    log.log_hyperparams({"micro_batch": None, "global_batch": 8})
    log.amend_config({"micro_batch": 4})
    log.close("done")
    [session] = sessions(tmp_path)
    assert (session.config["micro_batch"], session.config["global_batch"]) == (4, 8)
    assert session.exit == 0 and "did not take the checkpoints: the upload broke" in capsys.readouterr().out
