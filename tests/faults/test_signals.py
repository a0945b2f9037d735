"""A run that a signal stops leaves a checkpoint, its status and an exit code, and ends bit for bit the same later."""

import itertools
import os
import signal

import pytest

from variformer.run_directory.checkpoint_files import File
from variformer.training.signals import Preempted, Signals

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
    config = composed(*faults.overrides("gpt", *faults.DEVICES))
    assert faults.run(config, [], []) == [0, 0], faults.log_of(config)
    return config, faults.outcome(config["run_dir"])


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
        assert faults.status(config["run_dir"])["status"] == "preempted"
        assert faults.steps(config["run_dir"])[-1] == step
        output = capfd.readouterr().out
        assert signal.Signals(signum).name in output and f"run_dir={config['run_dir']} resume=true" in output
    faults.train(faults.again(config))
    assert faults.status(config["run_dir"])["status"] == "done"
    assert faults.differences(expected, faults.outcome(config["run_dir"])) == []


@pytest.mark.parametrize(
    "signum, receivers, stages",
    [
        pytest.param(signum, receivers, STAGES, marks=pytest.mark.slow)
        for signum in (signal.SIGTERM, signal.SIGUSR1)
        for receivers in ([0], [1], [0, 1])
    ]
    + [(signal.SIGTERM, [1], ["validation", "saving"])],
)
def test_two_processes_stop_together_whichever_gets_it(together, faults, tmp_path, signum, receivers, stages):
    config, expected = together
    config = config | {"run_dir": str(tmp_path / "run")}
    for stage in stages:
        arranged = [[faults.at(*STAGES[stage], faults.tell(signum))] if rank in receivers else [] for rank in (0, 1)]
        codes = faults.run(faults.again(config), *arranged)
        assert codes == [128 + signum, 0], (stage, faults.log_of(config))  # Lightning kills all where a child fails
        assert faults.status(config["run_dir"])["status"] == "preempted", stage
    assert faults.run(faults.again(config), [], []) == [0, 0], faults.log_of(config)
    assert faults.differences(expected, faults.outcome(config["run_dir"])) == []


@pytest.mark.slow
def test_two_processes_that_share_a_model_stop_together(composed, faults, tmp_path):
    config = composed(*faults.overrides("gpt", "trainer=fsdp", *faults.DEVICES[1:]))
    assert faults.run(config, [], []) == [0, 0], faults.log_of(config)
    stopped = config | {"run_dir": str(tmp_path / "run")}
    for stage, receiver in [("validation", 1), ("saving", 0)]:
        arranged = [
            [faults.at(*STAGES[stage], faults.tell(signal.SIGTERM))] if rank == receiver else [] for rank in (0, 1)
        ]
        assert faults.run(faults.again(stopped), *arranged) == [143, 0], faults.log_of(stopped)
    assert faults.run(faults.again(stopped), [], []) == [0, 0], faults.log_of(stopped)
    outcomes = [faults.outcome(each["run_dir"]) for each in (config, stopped)]
    assert faults.differences(*outcomes) == []


def test_before_training_there_is_nothing_to_wait_for(alone, faults, tmp_path, capfd):
    config = alone[0] | {"run_dir": str(tmp_path / "run")}
    with pytest.MonkeyPatch.context() as patch, pytest.raises(Preempted) as stop:
        patch.setattr("variformer.runs.run.build_task", lambda *_: faults.tell(signal.SIGTERM)())
        faults.train(config)
    assert (
        stop.value.code == 143
        and faults.status(config["run_dir"])["status"] == "preempted"
        and faults.steps(config["run_dir"]) == []
    )
    assert "resume=auto" in capfd.readouterr().out


def test_a_second_ctrl_c_does_not_wait(alone, faults, tmp_path):
    config = alone[0] | {"run_dir": str(tmp_path / "run")}
    with pytest.MonkeyPatch.context() as patch, pytest.raises(Preempted) as stop:
        for count in 5, 5:
            faults.at("training", count, faults.tell(signal.SIGINT))(patch)
        faults.train(config)
    assert stop.value.code == 130 and faults.status(config["run_dir"])["status"] == "preempted"
    assert faults.steps(config["run_dir"]) == [2]  # and not that of the third step


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
    assert (
        stop.value.code == 130
        and faults.status(config["run_dir"])["status"] == "preempted"
        and faults.steps(config["run_dir"]) == []
    )


def test_a_second_ctrl_c_ends_at_once_after_another_signal():
    with pytest.raises(Preempted), Signals() as signals:
        signals.deferred = True
        signal.raise_signal(signal.SIGTERM)
        signal.raise_signal(signal.SIGINT)
        assert signals.received == signal.SIGTERM and not signals.leaving
        signal.raise_signal(signal.SIGINT)


def test_workers_of_the_loader_ignore_the_signals_of_the_run():
    with Signals() as signals:
        signals.process += 1  # as a forked process sees it
        os.kill(os.getpid(), signal.SIGINT)
        assert signals.received == 0


def test_former_handlers_come_back():
    before = {each: signal.getsignal(each) for each in Signals.HANDLED}
    with Signals():
        assert all(signal.getsignal(each) != handler for each, handler in before.items())
    assert {each: signal.getsignal(each) for each in Signals.HANDLED} == before
