"""A run that is told to stop leaves a checkpoint, its status and an exit code, and ends bit for bit the same later."""

import itertools
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from variformer.cli.stopping import reported
from variformer.training.checkpoint_io import File
from variformer.training.run_directory import RunDirectory
from variformer.training.signals import Preempted, Signals

ROOT = Path(__file__).parents[2]
DEVICES = ["trainer=ddp", "trainer.devices=2", "global_batch=8"]
STAGES = {  # a moment's first occurrences in each session
    "training": ("training", 2),  # the last micro batch of a step
    "accumulation": ("training", 3),  # the first
    "validation": ("validation", 1),
    "saving": ("saving", 1),
}


@pytest.fixture(scope="module")
def alone(composed, faults):
    """A run of one process, and its outcome."""
    config = composed(*faults.overrides("gpt"))
    assert faults.run(config, []) == [0], faults.log_of(config)
    return config, faults.outcome(config["run_dir"])


@pytest.fixture(scope="module")
def together(composed, faults):
    """A run of two processes, and its outcome."""
    config = composed(*faults.overrides("gpt", *DEVICES))
    assert faults.run(config, [], []) == [0, 0], faults.log_of(config)
    return config, faults.outcome(config["run_dir"])


def status(config: dict) -> dict:
    return json.loads((Path(config["run_dir"]) / "status.json").read_text())


def steps(config: dict) -> list[int]:
    return sorted(int(path.name[5:13]) for path in (Path(config["run_dir"]) / "checkpoints").glob("step-*.ckpt"))


def test_one_process_stops_anywhere_and_goes_on(alone, faults, tmp_path, capfd):
    config, expected = alone
    config = config | {"run_dir": str(tmp_path / "run")}
    for (moment, count), signum, step in [
        (STAGES["accumulation"], signal.SIGUSR1, 2),
        (STAGES["validation"], signal.SIGUSR2, 3),
        (STAGES["validation"], signal.SIGTERM, 3),  # the same one, which the resumed run begins with
        (STAGES["saving"], signal.SIGINT, 4),
        (STAGES["training"], signal.SIGTERM, 5),
        (("validation", 3), signal.SIGTERM, 8),  # the final one
    ]:
        with pytest.MonkeyPatch.context() as patch, pytest.raises(Preempted) as stop:
            faults.at(moment, count, faults.tell(signum))(patch)
            faults.train(faults.again(config))
        assert stop.value.code == 128 + signum
        assert status(config)["status"] == "preempted"
        assert steps(config)[-1] == step
        told = capfd.readouterr().out
        assert signal.Signals(signum).name in told and f"run_dir={config['run_dir']} resume=true" in told
    faults.train(faults.again(config))
    assert status(config)["status"] == "done"
    assert faults.differences(expected, faults.outcome(config["run_dir"])) == []


@pytest.mark.parametrize(
    "signum, told, stages",
    [
        pytest.param(signum, told, STAGES, marks=pytest.mark.slow)
        for signum in (signal.SIGTERM, signal.SIGUSR1)
        for told in ([0], [1], [0, 1])
    ]
    + [(signal.SIGTERM, [1], ["validation", "saving"])],
)
def test_two_processes_stop_together_whichever_is_told(together, faults, tmp_path, signum, told, stages):
    config, expected = together
    config = config | {"run_dir": str(tmp_path / "run")}
    for stage in stages:
        arranged = [[faults.at(*STAGES[stage], faults.tell(signum))] if rank in told else [] for rank in (0, 1)]
        codes = faults.run(faults.again(config), *arranged)
        assert codes == [128 + signum, 0], (stage, faults.log_of(config))  # Lightning kills all where a child fails
        assert status(config)["status"] == "preempted", stage
    assert faults.run(faults.again(config), [], []) == [0, 0], faults.log_of(config)
    assert faults.differences(expected, faults.outcome(config["run_dir"])) == []


@pytest.mark.slow
def test_two_processes_that_share_a_model_stop_together(composed, faults, tmp_path):
    config = composed(*faults.overrides("gpt", "trainer=fsdp", *DEVICES[1:]))
    assert faults.run(config, [], []) == [0, 0], faults.log_of(config)
    stopped = config | {"run_dir": str(tmp_path / "run")}
    for stage, told in [("validation", 1), ("saving", 0)]:
        arranged = [[faults.at(*STAGES[stage], faults.tell(signal.SIGTERM))] if rank == told else [] for rank in (0, 1)]
        assert faults.run(faults.again(stopped), *arranged) == [143, 0], faults.log_of(stopped)
    assert faults.run(faults.again(stopped), [], []) == [0, 0], faults.log_of(stopped)
    outcomes = [faults.outcome(each["run_dir"]) for each in (config, stopped)]
    assert faults.differences(*outcomes) == []


def test_before_training_there_is_nothing_to_wait_for(alone, faults, tmp_path, capfd):
    config = alone[0] | {"run_dir": str(tmp_path / "run")}
    with pytest.MonkeyPatch.context() as patch, pytest.raises(Preempted) as stop:
        patch.setattr("variformer.cli.train.build_task", lambda *_: faults.tell(signal.SIGTERM)())
        faults.train(config)
    assert stop.value.code == 143 and status(config)["status"] == "preempted" and steps(config) == []
    assert "resume=auto" in capfd.readouterr().out


def test_a_second_ctrl_c_does_not_wait(alone, faults, tmp_path):
    config = alone[0] | {"run_dir": str(tmp_path / "run")}
    with pytest.MonkeyPatch.context() as patch, pytest.raises(Preempted) as stop:
        for count in 5, 5:
            faults.at("training", count, faults.tell(signal.SIGINT))(patch)
        faults.train(config)
    assert stop.value.code == 130 and status(config)["status"] == "preempted"
    assert steps(config) == [2]  # and not that of the third step


def test_a_second_ctrl_c_does_not_wait_for_a_checkpoint(alone, faults, tmp_path, monkeypatch):
    config, fill = alone[0] | {"run_dir": str(tmp_path / "run")}, File.fill

    class Interrupting:
        def __init__(self, opened):
            self.opened, self.writes = opened, itertools.count()

        def write(self, data):
            if next(self.writes) == 4:
                signal.raise_signal(signal.SIGINT)
                signal.raise_signal(signal.SIGINT)
            return self.opened.write(data)

    monkeypatch.setattr(File, "fill", lambda self, checkpoint, opened: fill(self, checkpoint, Interrupting(opened)))
    with pytest.raises(Preempted) as stop:
        faults.train(config)
    assert stop.value.code == 130 and status(config)["status"] == "preempted" and steps(config) == []


def test_a_second_ctrl_c_does_not_wait_after_another_signal_either():
    with pytest.raises(Preempted), Signals() as signals:
        signals.deferred = True
        signal.raise_signal(signal.SIGTERM)
        signal.raise_signal(signal.SIGINT)
        assert signals.received == signal.SIGTERM and not signals.leaving
        signal.raise_signal(signal.SIGINT)


def test_workers_of_the_loader_ignore_what_the_run_is_told():
    with Signals() as signals:
        signals.process += 1  # as a forked process sees it
        os.kill(os.getpid(), signal.SIGINT)
        assert signals.received == 0


def test_former_handlers_come_back():
    before = {each: signal.getsignal(each) for each in Signals.WATCHED}
    with Signals():
        assert all(signal.getsignal(each) != handler for each, handler in before.items())
    assert {each: signal.getsignal(each) for each in Signals.WATCHED} == before


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


def test_a_ctrl_c_that_also_ends_the_reader_of_the_output_stops_in_good_order(faults, tmp_path):
    """As in `python train.py 2>&1 | tee log`."""
    reads, writes = os.pipe()
    long = ["max_steps=1000000", "trainer.validate_every=null", "trainer.save_every=2"]
    process = command(*faults.overrides("vit"), *long, "run_dir=run", folder=tmp_path, stdout=writes)
    os.close(writes)
    when(tmp_path, "run/checkpoints/last.ckpt", process)
    os.close(reads)
    process.send_signal(signal.SIGINT)
    assert process.wait(100) == 130
    assert json.loads((tmp_path / "run" / "status.json").read_text())["status"] == "preempted"


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
    reached = steps({"run_dir": str(run)})[-1]
    second = command(*arguments, folder=tmp_path, SLURM_RESTART_COUNT="1", **environment)
    when(run, ".hydra_resumed", second)
    while steps({"run_dir": str(run)})[-1] == reached and second.poll() is None:
        time.sleep(0.05)
    os.killpg(second.pid, signal.SIGINT)  # Ctrl-C, which all processes of a terminal get
    assert second.wait(100) == 130, second.communicate()[0]
    assert [path.name for path in run.parent.iterdir()] == [run.name]
    assert len(json.loads((run / "run.json").read_text())["sessions"]) == 2


@pytest.mark.slow
@pytest.mark.parametrize("whole_group", [False, True])
def test_processes_that_lightning_starts_stop_together(faults, tmp_path, whole_group):
    arguments = [*faults.overrides("vit"), *DEVICES, "max_steps=1000000", "run_dir=run"]
    process = command(*arguments, folder=tmp_path)
    when(tmp_path, "run/checkpoints/last.ckpt", process)
    (os.killpg if whole_group else os.kill)(process.pid, signal.SIGTERM)
    assert process.wait(100) == 143, process.communicate()[0]
    assert json.loads((tmp_path / "run" / "status.json").read_text())["status"] == "preempted"
    told = process.communicate(timeout=60)[0]  # ends when the other process, which writes there too, has left
    assert told.count("To continue: ") == 1


@pytest.mark.slow
@pytest.mark.parametrize("signum", [signal.SIGINT, signal.SIGTERM])
def test_processes_that_are_only_starting_stop_together_too(faults, tmp_path, signum):
    """The first waits for the others, in code that no handler interrupts."""
    process = command(*faults.overrides("vit"), *DEVICES, "max_steps=1000000", "run_dir=run", folder=tmp_path)
    assert process.stdout is not None
    assert any("run directory:" in line for line in process.stdout)
    time.sleep(1.5)
    os.killpg(process.pid, signum)
    assert process.wait(100) == 128 + signum, process.communicate()[0]
    assert json.loads((tmp_path / "run" / "status.json").read_text())["status"] == "preempted"


SLOW_TO_LEAVE = """
import time
try:
    from variformer.training.module import Training
    from variformer.training.run_directory import RunDirectory
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
def test_the_first_of_several_processes_that_fail_has_the_time_that_it_needs(faults, tmp_path):
    """Lightning kills it some seconds after a child has failed: a dashboard may not be closed by then."""
    (tmp_path / "sitecustomize.py").write_text(SLOW_TO_LEAVE)
    arguments = [*faults.overrides("vit"), *DEVICES, "run_dir=run"]
    process = command(*arguments, folder=tmp_path, PYTHONPATH=str(tmp_path))
    assert process.wait(200) == 1, process.communicate()[0]
    status = json.loads((tmp_path / "run" / "status.json").read_text())
    assert status["status"] == "failed" and "the same trouble" in status["error"]
