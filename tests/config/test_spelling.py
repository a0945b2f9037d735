"""Overrides that Hydra would refuse as they are written."""

from pathlib import Path

import pytest

from variformer.config import spelled

CONF = Path(__file__).parents[2] / "conf"


@pytest.mark.parametrize(
    ("argument", "read_as"),
    [
        ("model.positions=rotary", "model/positions=rotary"),
        ("data.augmentation=none", "data/augmentation=none"),
        ("model.positions=spiral", "model.positions=spiral"),
        ("model.positions=learned,rotary", "model.positions=learned,rotary"),
        ("model.width=64", "model.width=64"),
        ("optimizer.lr=0.1", "optimizer.lr=0.1"),
        ("experiment=gpt", "experiment=gpt"),
        ("data.path=/etc/hosts", "data.path=/etc/hosts"),
        ("-m", "-m"),
        ("...=gpt", "...=gpt"),
    ],
)
def test_a_group_may_be_written_with_dots(argument, read_as):
    assert spelled([argument], CONF) == [read_as]


@pytest.mark.parametrize("saved", ["repeat=runs/bert/1", "resume=true", "resume=True"])
def test_a_saved_run_may_have_values_that_the_default_config_has_not(saved):
    arguments = ["objective.rate=0.2", saved, "seed=1", "hydra.job.chdir=false", "+a.b=1", "trainer=ddp", "-m"]
    assert spelled(arguments, CONF) == ["++objective.rate=0.2", *arguments[1:]]


@pytest.mark.parametrize("new", ["repeat=null", "resume=false", "resume=auto", "seed=1"])
def test_a_new_run_has_no_others(new):
    assert spelled(["objective.rate=0.2", new], CONF) == ["objective.rate=0.2", new]
