"""Each way to start a command is shown as it was typed, and starts again as it was started."""

import sys
from pathlib import Path

import pytest

import variformer
from variformer.command import full_command, restart_command, typed_command

ROOT = Path(__file__).parents[1]
MODULE = str(Path(variformer.__file__).with_name("__main__.py"))


@pytest.fixture
def program(tmp_path, monkeypatch):
    """program(NAME) makes the file NAME the program that was started, with one override."""
    monkeypatch.chdir(tmp_path)

    def start(name: str) -> str:
        Path(name).touch()
        monkeypatch.setattr(sys, "argv", [name, "seed=1"])
        return str(Path(name).absolute())

    return start


def test_a_door_of_the_checkout_starts_itself_again(program):
    door = program(str(ROOT / "train.py"))
    assert full_command("train") == [door, "seed=1"]
    assert restart_command("train") == [sys.executable, door]
    assert typed_command("train") == ["python", door]
    assert typed_command("evaluate") == ["variformer", "evaluate"]


def test_the_installed_command_starts_itself_again(program):
    installed = program("variformer")
    assert full_command("train") == ["variformer", "train", "seed=1"]
    assert restart_command("train") == [sys.executable, installed, "train"]
    assert typed_command("train") == ["variformer", "train"]


def test_the_module_starts_itself_again(program):
    program(MODULE)
    assert full_command("train") == [MODULE, "train", "seed=1"]
    assert restart_command("train") == [sys.executable, "-m", "variformer", "train"]
    assert typed_command("train") == ["python", "-m", "variformer", "train"]


@pytest.mark.parametrize("name", ["mine.py", "train.py"])
def test_a_users_script_stays_as_it_is(program, name):
    program(name)
    assert full_command("train") == [name, "seed=1"]
    assert restart_command("train") == [sys.executable, "-m", "variformer", "train"]
    assert typed_command("train") == ["variformer", "train"]
