"""Commands that are stopped: by a person, by a scheduler, alone or with all their processes."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from variformer.run_directory.directory import RunDirectory
from variformer.runs.stopping import reported
from variformer.training.signals import Preempted

from ..processes import fork_command

ROOT = Path(__file__).parents[2]


def scheduler(folder: Path) -> dict[str, str]:
    """The environment of a SLURM job, with an scontrol that notes what it is asked."""
    (folder / "bin").mkdir()
    control = folder / "bin" / "scontrol"
    control.write_text(f'#!/bin/sh\necho "$@" >> {folder}/asked\n')
    control.chmod(0o755)
    return {"SLURM_JOB_ID": "4711", "PATH": f"{folder / 'bin'}:{os.environ['PATH']}"}


@pytest.mark.parametrize(
    "signum, requeue, asked",
    [(signal.SIGUSR1, True, "requeue 4711\n"), (signal.SIGUSR1, False, None), (signal.SIGTERM, True, None)],
)
def test_slurm_is_asked_to_requeue_after_its_warning_alone(tmp_path, monkeypatch, signum, requeue, asked):
    for name, value in scheduler(tmp_path).items():
        monkeypatch.setenv(name, value)
    with pytest.raises(Preempted), reported(RunDirectory(tmp_path), requeue=requeue):
        os.kill(os.getpid(), signum)
    record = tmp_path / "asked"
    assert (record.read_text() if record.exists() else None) == asked


def test_a_job_that_slurm_does_not_requeue_says_what_to_do(tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("SLURM_JOB_ID", "4711")
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(Preempted), reported(RunDirectory(tmp_path), requeue=True):
        os.kill(os.getpid(), signal.SIGUSR1)
    assert "SLURM does not start job 4711 again" in capsys.readouterr().out


def command(*arguments: str, folder: Path, stdout: int = subprocess.PIPE, **environment: str) -> subprocess.Popen:
    return subprocess.Popen(
        [sys.executable, str(ROOT / "train.py"), *arguments],
        cwd=folder,
        env=os.environ | {"OMP_NUM_THREADS": "1"} | environment,
        stdout=stdout,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )


def when(folder: Path, pattern: str, process: subprocess.Popen) -> Path:
    """The file that a process is to write, once it is there."""
    end = time.monotonic() + 250
    while not (found := sorted(folder.glob(pattern))):
        assert process.poll() is None and time.monotonic() < end, process.communicate()[0]
        time.sleep(0.05)
    return found[0]


def test_a_ctrl_c_that_also_ends_the_reader_stops_in_order(faults, tmp_path):
    """As in `python train.py 2>&1 | tee log`."""
    reads, writes = os.pipe()
    long = ["max_steps=1000000", "trainer.validate_every=null", "trainer.save_every=2"]
    given = [*faults.overrides("vit"), *long, "run_dir=run"]
    process = fork_command("train.py", *given, folder=tmp_path, out=writes, errors=writes, closed=(reads,))
    os.close(writes)
    end = time.monotonic() + 250
    while not (tmp_path / "run/checkpoints/last.ckpt").exists():
        assert process.is_alive() and time.monotonic() < end
        time.sleep(0.05)
    os.close(reads)
    os.kill(process.pid, signal.SIGINT)
    process.join(100)
    assert process.exitcode == 130
    assert faults.status(tmp_path / "run")["status"] == "preempted"


@pytest.mark.slow
def test_a_requeued_slurm_job_goes_on_where_it_was(faults, tmp_path):
    """The same script twice, as SLURM runs it: nothing in it says which run to continue."""
    arguments = [*faults.overrides("vit"), "max_steps=1000000", "trainer.validate_every=null", "name=job"]
    environment = scheduler(tmp_path) | {"SLURM_JOB_NAME": "job"}
    first = command(*arguments, folder=tmp_path, **environment)
    run = when(tmp_path, "runs/job/*/checkpoints/last.ckpt", first).parents[1]
    os.kill(first.pid, signal.SIGUSR1)
    assert first.wait(100) == 128 + signal.SIGUSR1, first.communicate()[0]
    assert (tmp_path / "asked").read_text() == "requeue 4711\n"
    reached = faults.steps(run)[-1]
    second = command(*arguments, folder=tmp_path, SLURM_RESTART_COUNT="1", **environment)
    when(run, ".hydra_resumed", second)
    while faults.steps(run)[-1] == reached and second.poll() is None:
        time.sleep(0.05)
    os.killpg(second.pid, signal.SIGINT)  # Ctrl-C, which all processes of a terminal get
    assert second.wait(100) == 130, second.communicate()[0]
    assert [path.name for path in run.parent.iterdir()] == [run.name]
    assert len(json.loads((run / "run.json").read_text())["sessions"]) == 2


@pytest.mark.slow
@pytest.mark.parametrize("whole_group", [False, True])
def test_processes_that_lightning_starts_stop_together(faults, tmp_path, whole_group):
    arguments = [*faults.overrides("vit"), *faults.DEVICES, "max_steps=1000000", "run_dir=run"]
    process = command(*arguments, folder=tmp_path)
    when(tmp_path, "run/checkpoints/last.ckpt", process)
    (os.killpg if whole_group else os.kill)(process.pid, signal.SIGTERM)
    assert process.wait(100) == 143, process.communicate()[0]
    assert faults.status(tmp_path / "run")["status"] == "preempted"
    output = process.communicate(timeout=60)[0]  # ends when the other process, which writes there too, has left
    assert output.count("To continue: ") == 1


@pytest.mark.slow
@pytest.mark.parametrize("signum", [signal.SIGINT, signal.SIGTERM])
def test_processes_that_are_only_starting_stop_together_too(faults, tmp_path, signum):
    """The first waits for the others, in code that no handler interrupts."""
    process = command(*faults.overrides("vit"), *faults.DEVICES, "max_steps=1000000", "run_dir=run", folder=tmp_path)
    assert process.stdout is not None
    assert any("run directory:" in line for line in process.stdout)
    time.sleep(1.5)
    os.killpg(process.pid, signum)
    assert process.wait(100) == 128 + signum, process.communicate()[0]
    assert faults.status(tmp_path / "run")["status"] == "preempted"


SLOW_TO_LEAVE = """
import time
try:
    from variformer.training.module import Training
    from variformer.run_directory.directory import RunDirectory
    step, tell = Training.training_step, RunDirectory.set_status
    def training_step(self, batch, index):
        if index == 2:
            raise RuntimeError("the same trouble in all processes")
        return step(self, batch, index)
    def set_status(self, status, error=None):
        if status == "failed" and self.leads:
            time.sleep(8)
        tell(self, status, error)
    Training.training_step, RunDirectory.set_status = training_step, set_status
except ImportError:
    pass  # of a helper that is no part of the run
"""


@pytest.mark.slow
def test_the_first_failing_process_has_the_time_that_it_needs(faults, tmp_path):
    """Lightning kills it some seconds after a child has failed: a dashboard may not be closed by then."""
    (tmp_path / "sitecustomize.py").write_text(SLOW_TO_LEAVE)
    arguments = [*faults.overrides("vit"), *faults.DEVICES, "run_dir=run"]
    process = command(*arguments, folder=tmp_path, PYTHONPATH=str(tmp_path))
    assert process.wait(200) == 1, process.communicate()[0]
    status = faults.status(tmp_path / "run")
    assert status["status"] == "failed" and "the same trouble" in status["error"]
