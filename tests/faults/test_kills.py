"""kill -9 at any moment: what goes on from the newest whole checkpoint ends bit for bit as if nothing had happened."""

import os
import random
import signal

import pytest

from variformer.config.schema import experiment
from variformer.data.order import TrainingOrder
from variformer.runs.task import build_task
from variformer.training.callbacks import MovingAverage, RandomState

DEVICES = ["trainer=ddp", "trainer.devices=2", "trainer.accelerator=cpu", "global_batch=8", "trainer.workers=1"]
CASES = {
    "gpt": (["gpt", "trainer.workers=2"], 1),
    "bert": (["bert"], 1),
    "t5": (["t5", "optimizer=adafactor"], 1),
    "vit": (["vit", "optimizer=muon", "trainer.workers=1"], 1),
    "gpt on two devices": (["gpt", *DEVICES], 2),
    "gpt split over two devices": (["gpt", *DEVICES, "trainer=fsdp"], 2),
    "gpt over epochs": (["gpt", "data=text_files", "data.source.train={text}", "data.source.validation={text}"], 1),
}
SHORT = "A short text, which a run of some steps reads more than once from its top " * 4  # 10 samples: 5 micro batches


@pytest.fixture(scope="module")
def undisturbed(composed, faults, tmp_path_factory):
    """The config and outcome of each case, never killed."""
    known = {}
    text = tmp_path_factory.mktemp("text") / "short.txt"
    text.write_text(SHORT)

    def run(case: str):
        if case not in known:
            chosen, ranks = CASES[case]
            config = composed(*faults.overrides(*(word.format(text=text) for word in chosen)))
            assert faults.run(config, *[[]] * ranks) == [0] * ranks, faults.log_of(config)
            known[case] = config, faults.outcome(config["run_dir"])
        return known[case]

    return run


def drawn(faults, dice: random.Random, moment: str):
    """A kill some milliseconds after a randomly chosen moment, early enough for the next sessions to have some left."""
    count = dice.randint(1, 5 if moment == "training" else 2)
    delay = 0 if moment == "validation" else dice.uniform(0, 0.03)
    return faults.at(moment, count, lambda: faults.die(delay))


def killed_often(faults, config, tmp_path, moments: list[str], ranks: int, seed: int) -> tuple[dict, int]:
    """The config of a run that was killed at these moments, one after the other, and how often it was."""
    dice, kills = random.Random(seed), 0
    config = config | {"run_dir": str(tmp_path / "run"), "resume": "auto"}
    for moment in moments:
        chosen = [[drawn(faults, dice, moment)]] * ranks
        codes = faults.run(faults.again(config), *chosen)
        fails = {1} if ranks > 1 else set()  # where the other one was killed first
        assert set(codes) <= {0, -signal.SIGKILL} | fails, faults.log_of(config)
        kills += -signal.SIGKILL in codes
    assert faults.run(faults.again(config), *[[]] * ranks) == [0] * ranks, faults.log_of(config)
    return config, kills


def test_killed_runs_end_as_if_nothing_had_happened(undisturbed, faults, tmp_path):
    config, expected = undisturbed("gpt")
    again, kills = killed_often(faults, config, tmp_path, ["training", "validation", "writing"], 1, seed=0)
    assert kills == 3, kills
    assert faults.differences(expected, faults.outcome(again["run_dir"])) == []


@pytest.mark.slow
@pytest.mark.parametrize("case", CASES)
def test_every_family_and_two_devices_killed_at_random(undisturbed, faults, tmp_path, case):
    config, expected = undisturbed(case)
    moments = ["training", "writing", "validation", "saving", "training"]
    again, kills = killed_often(faults, config, tmp_path, moments, CASES[case][1], seed=list(CASES).index(case))
    assert kills >= 4, kills
    assert faults.differences(expected, faults.outcome(again["run_dir"])) == []


@pytest.mark.slow
def test_a_run_killed_on_either_side_of_an_epochs_end_goes_on(undisturbed, faults, tmp_path):
    config, expected = undisturbed("gpt over epochs")
    task = build_task(experiment(config))
    assert len(task.objective.view(task.data.split("train"))) == 10 and config["micro_batch"] == 2
    config = config | {"run_dir": str(tmp_path / "run")}
    for count in 5, 1, 2:  # a session has saved 2 steps; the next begin with the epoch's last micro batch
        killed = faults.at("training", count, lambda: os.kill(os.getpid(), signal.SIGKILL))
        assert faults.run(faults.again(config), [killed]) == [-signal.SIGKILL], faults.log_of(config)
    assert faults.run(faults.again(config), []) == [0], faults.log_of(config)
    assert faults.differences(expected, faults.outcome(config["run_dir"])) == []


FORGOTTEN = {
    "random numbers": (RandomState, "on_train_start", lambda self, trainer, module: None),
    "position": (TrainingOrder, "start", property(lambda self: 0, lambda self, start: None)),
    "average": (MovingAverage, "load_state_dict", lambda self, state: None),
}


@pytest.mark.parametrize("what", [pytest.param(each, marks=pytest.mark.slow) for each in FORGOTTEN])
def test_a_run_that_forgets_anything_ends_elsewhere(undisturbed, faults, tmp_path, what):
    """The negative controls of the tests above."""
    config, expected = undisturbed("gpt")
    owner, name, instead = FORGOTTEN[what]
    forget = [lambda patch: patch.setattr(owner, name, instead, raising=False)]
    config = config | {"run_dir": str(tmp_path / "run"), "resume": "auto"}
    after_a_checkpoint = faults.at("training", 11, faults.die)
    assert faults.run(faults.again(config), [after_a_checkpoint]) == [-signal.SIGKILL]
    assert faults.run(faults.again(config), forget) == [0]
    assert faults.differences(expected["last"], faults.outcome(config["run_dir"])["last"])
