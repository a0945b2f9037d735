"""Whatever becomes of one trial, the others complete, and the sweep says which did not."""

import csv
import json
import os
import signal
import subprocess
import sys
import threading
import time

import pytest
from omegaconf import OmegaConf

from variformer.run_directory.directory import RunDirectory
from variformer.sweeps.directory import SweepDirectory
from variformer.sweeps.outcome import Ending, outcome
from variformer.sweeps.process import Limits, start, wait_for
from variformer.sweeps.trial_job import follow, run_trial
from variformer.sweeps.trials import read_trials, update_record

from .conftest import TRAIN, Sweeping, starts, until

FAULTS = ["raises", "exits", "killed", "misfit", "hangs", "diverges"]


@pytest.fixture(scope="module")
def faulty(tmp_path_factory):
    """A sweep of trials that go wrong, each in its own way, between two that do not."""
    sweeping = Sweeping(tmp_path_factory.mktemp("faulty"))
    names = ",".join(["good", *FAULTS, "recovers"])
    limits = ["hydra.sweeper.timeout=4", "hydra.sweeper.grace=0.2"]
    done = sweeping.run(
        f"name={names}", "max_steps=1", "clip=1", *limits, LOCAL_RANK="0", WORLD_SIZE="2", MASTER_PORT="1"
    )
    return sweeping, done, {trial.overrides["name"]: trial for trial in sweeping.trials()}


def test_trials_that_fail_in_any_way_do_not_stop_the_others(faulty):
    _, _, trials = faulty
    assert {name: trial.status for name, trial in trials.items()} == {
        "good": "done",
        "recovers": "done",
        **dict.fromkeys(FAULTS, "failed"),
    }
    assert (trials["good"].value, trials["good"].steps) == (1.0, 1)


def test_a_sweep_with_failed_trials_does_not_exit_with_0(faulty):
    assert faulty[1].returncode == 1


@pytest.mark.parametrize(
    "name, message",
    [
        ("raises", "ValueError('a bad batch')"),
        ("exits", "exited with code 0 before the end of training"),
        ("killed", "killed by SIGKILL"),
        ("misfit", "exited with code 2: name: misfit is no name"),
        ("hangs", "took longer than hydra.sweeper.timeout=4 s"),
        ("diverges", "ended with val/loss at nan"),
    ],
)
def test_the_table_says_what_became_of_each_trial(faulty, name, message):
    sweeping, done, trials = faulty
    assert trials[name].error.splitlines()[0].startswith(message)
    assert f"failed: {message}" in done.stdout
    with (sweeping.path / "trials.csv").open() as file:
        (row,) = [row for row in csv.DictReader(file) if row["name"] == name]
    assert row["status"] == "failed"
    assert row["error"].startswith(message)


def test_a_trial_that_raises_is_recorded_with_its_traceback(faulty):
    assert 'raise ValueError("a bad batch")' in faulty[2]["raises"].error


def test_a_trial_is_no_rank_of_what_started_the_sweep(faulty):
    noted = starts(faulty[2]["good"].path)[0]
    assert (noted["LOCAL_RANK"], noted["WORLD_SIZE"], noted["MASTER_PORT"]) == (None, None, None)
    assert noted["VARIFORMER_TRIAL"] == str(faulty[2]["good"].path / "trial.json")


def test_a_trial_that_does_not_compose_is_the_only_one_to_fail(sweeping):
    done = sweeping.run("model/positions=learned,nowhere", "max_steps=1", "clip=1")
    assert done.returncode == 1
    good, bad = sweeping.trials()
    assert (good.status, bad.status) == ("done", "failed")
    assert "model/positions/nowhere" in bad.error


@pytest.mark.parametrize(
    "arguments, message",
    [
        (["model.dropuot=0,0.1"], "did you mean `dropout`?"),
        (["clip=interval(0.1, 1)", "hydra.sweeper.params={model: {heads: 4}}"], "model: holds keys"),
        (["clip=1,2", "run_dir=here"], "run_dir: a sweep sets it for each trial"),
        (["clip=interval(0, 1)", "hydra.sweeper.sampler._target_=os.system"], "is not one of optuna.samplers"),
    ],
)
def test_a_mistake_in_a_sweep_is_named_before_any_trial(sweeping, arguments, message):
    done = sweeping.run(*arguments)
    assert done.returncode == 2
    assert message in done.stderr
    assert not list(sweeping.folder.glob("sweeps/*/trials/*"))


def test_what_a_trial_started_ends_with_it(tmp_path):
    with (tmp_path / "log").open("a") as log:
        process = start(["sh", "-c", "sleep 600 & echo $!"], log, dict(os.environ))
        wait_for(process, SweepDirectory(tmp_path), Limits(None, 1.0))
    child = int((tmp_path / "log").read_text())
    until(lambda: not running(child), 20)


def running(pid: int) -> bool:
    try:
        with open(f"/proc/{pid}/stat") as file:
            return file.read().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def test_a_warning_of_the_scheduler_reaches_the_trial_first(tmp_path):
    """Then it does what it would have done without a trial, such as queue the job again."""
    job = f"""
import os, signal, sys
from variformer.sweeps.directory import SweepDirectory
from variformer.sweeps.outcome import Ending, outcome
from variformer.sweeps.trial_job import raise_again
from variformer.sweeps.process import Limits, start, wait_for
from variformer.run_directory.directory import RunDirectory
signal.signal(signal.SIGUSR2, lambda signum, frame: print("queued again", flush=True))
trial = "import signal, sys; signal.signal(signal.SIGUSR2, lambda *_: sys.exit(140)); print('ready'); signal.pause()"
with open({str(tmp_path / "log")!r}, "a") as log:
    process = start([sys.executable, "-uc", trial], log, dict(os.environ))
    print("started", flush=True)
    ending = wait_for(process, SweepDirectory({str(tmp_path)!r}), Limits(None, 1.0))
print(ending.code, ending.received == signal.SIGUSR2, flush=True)
raise_again(ending)
"""
    process = subprocess.Popen([sys.executable, "-c", job], stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    process.stdout.readline()
    until(lambda: "ready" in (tmp_path / "log").read_text())
    process.send_signal(signal.SIGUSR2)
    out, _ = process.communicate(timeout=60)
    assert out.splitlines() == ["140 True", "queued again"]


@pytest.mark.parametrize("restarts, begins", [("1", True), ("0", False)])
def test_a_rank_beside_the_leading_one_begins_when_that_does(restarts, begins, tmp_path, monkeypatch):
    """And not where the leader still waits for an earlier process, or found the trial done."""
    for name, value in {"SLURM_JOB_ID": "7", "SLURM_PROCID": "1", "SLURM_RESTART_COUNT": "1"}.items():
        monkeypatch.setenv(name, value)
    update_record(tmp_path, number=0, overrides={}, status="running", attempt="slurm-7.0")  # before it was queued again

    def lead():
        update_record(tmp_path, attempt=f"slurm-7.{restarts}", status="running" if begins else "done")

    began = time.monotonic()
    threading.Timer(1.0, lead).start()
    follow([sys.executable, "-c", "print('began')"], tmp_path, SweepDirectory(tmp_path), 1.0)
    assert time.monotonic() - began >= 1
    log = tmp_path / "output-1.log"
    assert (log.read_text() if log.exists() else "") == ("began\n" if begins else "")


def test_other_ranks_do_not_wait_for_a_leader_that_failed(tmp_path, monkeypatch):
    task = {"task": [], "hydra": []}
    hydra = {"sweep": {"dir": str(tmp_path), "subdir": "trials/only"}, "overrides": task}
    hydra |= {"sweeper": {"gpus_per_trial": 2, "n_jobs": 1, "grace": 1.0}}
    hydra |= {"runtime": {"config_sources": []}, "job": {"config_name": "train"}}
    monkeypatch.setattr("hydra.core.hydra_config.HydraConfig.get", lambda: OmegaConf.create(hydra))
    for name, value in {"SLURM_JOB_ID": "7", "CUDA_VISIBLE_DEVICES": "0"}.items():
        monkeypatch.setenv(name, value)
    folder, config = tmp_path / "trials" / "only", OmegaConf.create({"trainer": {"accelerator": "auto"}})
    update_record(folder, number=0, overrides={}, monitor="val/loss")
    with pytest.raises(ValueError, match="has 1 GPU"):
        run_trial(["train"], config)
    (trial,) = read_trials(tmp_path)
    assert trial.status == "failed" and "has 1 GPU" in trial.error
    monkeypatch.setenv("SLURM_PROCID", "1")
    run_trial(["train"], config)
    assert not list(folder.glob("output*"))


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_a_trial_on_two_devices_is_one_directory(sweeping):
    """And its second process repeats neither the trial nor the sweep."""
    devices = ["trainer=ddp", "trainer.devices=2", "trainer.accelerator=cpu"]
    sweeping.run_well("experiment=vit", "debug=fast", *devices, "optimizer.lr=1e-3,1e-2", script=TRAIN)
    assert [path.name for path in sweeping.folder.iterdir()] == ["sweeps"]
    assert len(list((sweeping.path / "trials").iterdir())) == 2
    for trial in sweeping.trials():
        assert (trial.status, trial.steps) == ("done", 4)
        assert "2 x cpu" in (trial.path / "output.log").read_text()
        assert len(json.loads((trial.path / "run.json").read_text())["sessions"]) == 1


def test_the_cause_is_that_of_the_first_process_that_failed(tmp_path):
    """The others lose their connection to it, or are killed by Lightning."""
    leader, follower = RunDirectory(tmp_path, leads=True), RunDirectory(tmp_path, leads=False)
    leader.set_status("running")
    follower.set_status("failed", RuntimeError("this rank is broken"))
    leader.set_status("failed", RuntimeError("connection closed by peer"))
    status, error = outcome(tmp_path, Ending(-signal.SIGKILL), "")
    assert status == "failed" and error.startswith("RuntimeError('this rank is broken')")
    leader.set_status("running")
    assert outcome(tmp_path, Ending(-signal.SIGKILL), "")[1].startswith("killed by SIGKILL")
