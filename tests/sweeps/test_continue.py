"""The same command again goes on where an interrupted sweep stopped."""

import json
import signal

import pytest

from .conftest import TRAIN, Sweeping, ended_by, kill_alone, starts, until

SLOW_STEPS = ["max_steps=12", "eval_batch=2"]  # 2.4 s a trial


def test_a_killed_sweep_keeps_finished_trials_and_resumes_others(sweeping):
    command = ["seed=1,2,3", "clip=1", *SLOW_STEPS]
    process = sweeping.start(*command)
    sweeping.wait_for(1, steps=3)
    kill_alone(process)
    sweeping.run_well(*command)
    first, second, third = sweeping.trials()
    assert [trial.status for trial in (first, second, third)] == ["done"] * 3
    assert len(starts(first.path)) == len(starts(third.path)) == 1
    killed, resumed = starts(second.path)
    assert (killed["saved"], resumed["saved"] >= 3) == (0, True)
    assert list(second.curve) == list(range(1, 13))  # no step taken twice, none left out


STOPS = [
    (signal.SIGTERM, 143),
    pytest.param(signal.SIGINT, 130, marks=pytest.mark.slow),
    pytest.param(signal.SIGUSR1, 138, marks=pytest.mark.slow),
]


@pytest.mark.slow
@pytest.mark.parametrize("signum, code", STOPS)
def test_after_a_signal_trials_save_and_the_command_continues(sweeping, signum, code):
    command = ["seed=1,2", "clip=1", *SLOW_STEPS]
    process = sweeping.start(*command)
    folder = sweeping.wait_for(0, steps=2)
    returned, output = ended_by(process, signum)
    assert returned == code, output
    assert "the same command continues" in output
    (trial,) = sweeping.trials()
    assert (trial.path, trial.status) == (folder, "preempted")
    sweeping.run_well(*command)
    assert [trial.status for trial in sweeping.trials()] == ["done", "done"]
    assert starts(folder)[1]["saved"] >= 2


def test_a_second_ctrl_c_leaves_at_once(sweeping):
    process = sweeping.start("name=hangs,good", "clip=1", "max_steps=1")
    until(lambda: list(sweeping.folder.glob("sweeps/*/trials/*/starts.txt")))
    process.send_signal(signal.SIGINT)
    assert process.stdout is not None
    assert any("stopping" in line for line in process.stdout)
    returned, _ = ended_by(process, signal.SIGINT)
    assert returned in (-signal.SIGINT, 1, 130)
    assert [trial.status for trial in sweeping.trials()] == ["running"]


@pytest.mark.slow
def test_failed_trials_are_run_again_only_when_asked(sweeping):
    command = ["name=recovers,good,raises", "clip=1", "max_steps=3"]
    assert sweeping.run(*command).returncode == 1
    assert sweeping.run(*command).returncode == 1
    recovers, good, _ = sweeping.trials()
    assert len(starts(recovers.path)) == 1
    assert sweeping.run(*command, "hydra.sweeper.retry_failed=true").returncode == 1
    assert [trial.status for trial in sweeping.trials()] == ["done", "done", "failed"]
    assert [each["saved"] for each in starts(recovers.path)] == [0, 1]
    assert len(starts(good.path)) == 1


@pytest.mark.slow
def test_a_search_that_is_killed_continues_as_if_it_had_not_been(tmp_path):
    """The same values in the same order, none lost, and the running trial resumed with its values."""
    command = ["clip=interval(0, 1)", "seed=range(0, 50)", "hydra.sweeper.n_trials=4", "max_steps=8", "eval_batch=1"]
    command.append("hydra.sweeper.sampler.n_startup_trials=2")
    killed, whole = (Sweeping(tmp_path / name) for name in ("killed", "whole"))
    for each in (killed, whole):
        each.folder.mkdir()
    process = killed.start(*command)
    killed.wait_for(1, steps=2)
    kill_alone(process)
    killed.run_well(*command)
    whole.run_well(*command)
    assert [trial.overrides for trial in killed.trials()] == [trial.overrides for trial in whole.trials()]
    assert [trial.status for trial in killed.trials()] == ["done"] * 4
    assert len({trial.overrides["clip"] for trial in whole.trials()}) == 4
    assert [len(starts(trial.path)) for trial in killed.trials()] == [1, 2, 1, 1]
    assert starts(killed.trials()[1].path)[1]["saved"] >= 2


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_a_killed_search_of_real_runs_resumes_from_checkpoints(sweeping):
    settings = ["max_steps=40", "trainer.validate_every=5", "trainer.save_every=5", "hydra.sweeper.n_trials=2"]
    command = ["experiment=vit", "debug=fast", *settings, "optimizer.lr=tag(log, interval(1e-3, 1e-2))"]
    process = sweeping.start(*command, "hydra/sweeper/pruner=median", script=TRAIN)
    pattern = "sweeps/*/trials/*/checkpoints/step-00000005.ckpt"
    until(lambda: process.poll() is not None or list(sweeping.folder.glob(pattern)))
    saved = list(sweeping.folder.glob(pattern))
    assert saved and process.poll() is None
    kill_alone(process)
    assert json.loads((saved[0].parents[1] / "trial.json").read_text())["status"] == "running"
    sweeping.run_well(*command, "hydra/sweeper/pruner=median", script=TRAIN)
    first, second = sweeping.trials()
    assert (first.status, second.status in ("done", "pruned")) == ("done", True)
    assert list(first.curve) == list(range(5, 41, 5))
    sessions = json.loads((first.path / "run.json").read_text())["sessions"]
    assert len(sessions) == 2
