"""What a command line deletes (`~logger`) has its default value, or is said to be missing."""

from pathlib import Path

import pytest
from hydra import compose, initialize_config_dir

from variformer.config import ConfigError, register_resolvers
from variformer.config.composing.compose import compose as checked
from variformer.config.schema import TrainerSettings

CONF = Path(__file__).parents[2] / "conf"


def composed(*overrides: str):
    register_resolvers()
    with initialize_config_dir(str(CONF), version_base="1.3"):
        return checked(compose("train", list(overrides)))


@pytest.mark.parametrize(
    ("deleted", "key", "value"),
    [
        ("~logger", "logger", {}),
        ("~schedule", "schedule", None),
        ("~clip", "clip", None),
        ("~resume", "resume", False),
        ("~repeat_anyway", "repeat_anyway", False),
    ],
)
def test_what_is_deleted_has_its_default(deleted, key, value):
    assert composed(deleted)[key] == value


def test_a_deleted_setting_of_the_trainer_has_its_default():
    assert composed("~trainer.workers")["trainer"]["workers"] == 0
    assert composed("~trainer")["trainer"].keys() == vars(TrainerSettings()).keys()


@pytest.mark.parametrize("deleted", ["optimizer", "data"])
def test_what_every_run_needs_is_said_to_be_missing(deleted):
    with pytest.raises(ConfigError) as caught:
        composed(f"~{deleted}")
    assert any(line.startswith(f"{deleted}: missing") for line in caught.value.problems)
