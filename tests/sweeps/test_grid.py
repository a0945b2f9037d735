"""A grid: every combination once, in a folder that its command names."""

import json
import shlex

import pytest
from hydra import compose, initialize_config_dir

from variformer.config import ConfigError, register_resolvers
from variformer.sweeps.directory import SweepDirectory, subfolder
from variformer.sweeps.planning import Plan, plan
from variformer.sweeps.watched import watched

from .conftest import STAND_IN

CONF = STAND_IN.parents[2] / "conf"


def planned(*arguments: str) -> Plan:
    register_resolvers()
    fixed = [each for each in arguments if "," not in each and "(" not in each]
    with initialize_config_dir(str(CONF), version_base="1.3"):
        return plan(arguments, compose("train", fixed, return_hydra_config=True))


def test_a_grid_runs_every_combination_in_a_folder_of_its_own(sweeping):
    done = sweeping.run_well("clip=2,1", "model/positions=learned,rotary", "max_steps=1", "~samples")
    trials = sweeping.trials()
    assert [(trial.overrides["clip"], trial.overrides["model/positions"]) for trial in trials] == [
        ("2", "learned"),
        ("2", "rotary"),
        ("1", "learned"),
        ("1", "rotary"),
    ]
    assert [trial.value for trial in trials] == [2.0, 2.0, 1.0, 1.0]
    assert {path.name for path in (sweeping.path / "trials").iterdir()} == {trial.path.name for trial in trials}
    best = json.loads((sweeping.path / "best.json").read_text())
    assert shlex.split(best["command"])[2:] == ["max_steps=1", "~samples", "clip=1", "model/positions=learned"]
    assert best["command"] in done.stdout


def test_the_process_of_a_sweep_does_without_torch(sweeping):
    """Which alone takes longer to import than everything that a sweep does before its first trial."""
    imported = sweeping.run_well("clip=1", "max_steps=1", PYTHONPROFILEIMPORTTIME="1").stderr
    names = {line.rpartition("|")[2].strip() for line in imported.splitlines()}
    assert "variformer.sweeps.sweeping" in names
    assert not names & {"torch", "lightning", "matplotlib", "wandb"}


def test_the_same_command_names_the_same_folder():
    same = planned("seed=1,2", "max_steps=3")
    assert planned("max_steps=3", "launch=local_parallel", "seed=1,2").where == same.where
    assert same.where.parent.name == "sweeps"


@pytest.mark.parametrize("other", [["seed=1,3", "max_steps=3"], ["seed=1,2", "max_steps=4"], ["seed=1,2"]])
def test_another_sweep_names_another_folder(other):
    assert planned(*other).where != planned("seed=1,2", "max_steps=3").where


def test_a_sweep_dir_that_is_given_is_used():
    assert str(planned("seed=1,2", "sweep_dir=somewhere/mine").where) == "somewhere/mine"


def test_a_trials_folder_says_its_values_and_depends_on_nothing_else():
    values = {"optimizer.lr": "0.00012345678901", "model/positions": "rotary"}
    assert subfolder(values).startswith("trials/positions_rotary-lr_0.0001235-")
    assert subfolder(values) == subfolder(dict(reversed(values.items())))
    assert subfolder(values) != subfolder(values | {"optimizer.lr": "0.00012345678902"})
    assert len(subfolder({f"key{i}": "a" * 50 for i in range(9)})) < 120
    assert "=" not in subfolder({"data.train": "a=b, 'c'/d"}).removeprefix("trials/")


def test_a_folder_is_not_shared_by_two_different_sweeps(tmp_path):
    with SweepDirectory(tmp_path).claimed(planned("seed=1,2", "max_steps=3").facts):
        pass
    with SweepDirectory(tmp_path).claimed(planned("seed=1,2,3", "max_steps=3").facts):
        pass  # a grid that grew
    for other in (
        planned("seed=1,2", "max_steps=4"),
        planned("seed=range(1, 3)", "clip=interval(0, 1)", "max_steps=3"),
    ):
        with pytest.raises(ConfigError, match="holds another sweep"), SweepDirectory(tmp_path).claimed(other.facts):
            pass


def test_a_sweep_that_runs_already_is_not_run_a_second_time(tmp_path):
    facts = planned("seed=1,2").facts
    with (
        SweepDirectory(tmp_path).claimed(facts),
        pytest.raises(ConfigError, match="running already, as process"),
        SweepDirectory(tmp_path).claimed(facts),
    ):
        pass
    with SweepDirectory(tmp_path).claimed(facts):
        pass


def test_what_an_objective_watches_is_read_without_torch(composed):
    from variformer.config import instantiate

    for experiment in ("gpt", "bert", "t5", "vit"):
        node = composed(f"experiment={experiment}")["objective"]
        objective = instantiate(node, "objective").func
        assert watched(node) == (f"val/{objective.monitor}", objective.mode)
    wrapped = {"_target_": "variformer.objectives.image_distillation.HardDistillation", "task": node}
    assert watched(wrapped) == ("val/top1", "max")
