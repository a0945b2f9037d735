"""A study's conf/ joins the configs of the package, wherever a command is started."""

import shutil
import sys
from pathlib import Path

import pytest

from variformer.cli import commands
from variformer.config import clashes, folders_of, spelled
from variformer.config.composing.hydra_errors import unknown_keys
from variformer.config.explaining.overview import overview
from variformer.config.folders import config_folders
from variformer.configs import packaged, study

CONF = Path(__file__).parents[2] / "conf"
MINE = "# @package _global_\n# Mine. And more.\nmax_steps: 7\n"


@pytest.fixture
def own(tmp_path, monkeypatch) -> Path:
    """A study's conf/ in the working directory, with one experiment."""
    monkeypatch.chdir(tmp_path)
    folder = tmp_path / "conf"
    (folder / "experiment").mkdir(parents=True)
    (folder / "experiment" / "mine.yaml").write_text(MINE)
    return folder


def composed(*overrides: str):
    from hydra import compose, initialize_config_dir

    with initialize_config_dir(str(packaged()), version_base="1.3"):
        return compose("train", list(overrides)), config_folders(), overview()


def test_a_study_lies_in_the_working_directory(own):
    assert packaged() == CONF and study() == own
    assert folders_of([]) == [CONF, own]
    config, folders, _ = composed("experiment=mine")
    assert config.max_steps == 7 and config.model._target_ == "variformer.models.GPT"
    assert folders == [CONF, own]


def test_the_repository_is_no_study_of_its_own(monkeypatch):
    monkeypatch.chdir(CONF.parent)
    assert study() is None and folders_of([]) == [CONF]
    assert composed()[1] == [CONF]


def test_help_lists_a_studys_options_with_the_others(own):
    text = composed()[2]
    (line,) = [line for line in text.splitlines() if line.split()[:1] == ["mine"]]
    assert line.endswith("Mine.")
    assert text.count("== experiment=OPTION ==") == 1


def test_hints_and_spellings_know_a_studys_options(own):
    (own / "model" / "norm").mkdir(parents=True)
    (own / "model" / "norm" / "odd.yaml").write_text("_target_: torch.nn.Identity\n")
    folders = folders_of([])
    assert "did you mean `mine`?" in unknown_keys(folders, "train", ["experiment=mime"])[0]
    assert unknown_keys(folders, "train", ["experiment=mine", "max_steps=3"]) == []
    assert "did you mean `max_steps`?" in unknown_keys(folders, "train", ["experiment=mine", "max_step=3"])[0]
    assert spelled(["model.norm=odd"], folders) == ["model/norm=odd"]


def test_folders_of_the_command_line_come_last_and_once(own, tmp_path):
    other, third = tmp_path / "other", tmp_path / "third"
    other.mkdir(), third.mkdir()
    arguments = ["-m", f"--config-dir={other}", "a=1", f"hydra.searchpath=[file://{third},pkg://x]", "--cfg", "job"]
    assert folders_of(arguments) == [CONF, own, other, third]
    assert [each.resolve() for each in folders_of(["-cd", "conf"])] == [CONF, own]
    assert folders_of(["hydra.searchpath=[", "--config-dir", "nowhere"]) == [CONF, own]
    assert folders_of(["-c", "other", "--config-dir"]) == [CONF, own]  # -c is --cfg


def test_a_name_that_the_package_has_is_refused(own, monkeypatch, capsys):
    shutil.copy(CONF / "experiment" / "bert.yaml", own / "experiment")  # the same text is no other option
    (own / "sweep" / "wandb").mkdir(parents=True)
    (own / "sweep" / "wandb" / "bert_masking.yaml").write_text("program: mine\n")
    assert list(clashes(folders_of([]))) == []
    (own / "experiment" / "gpt.yaml").write_text(MINE)
    monkeypatch.setattr(sys, "argv", ["train"])
    with pytest.raises(SystemExit) as stop:
        commands.train(["experiment=gpt"])
    (line,) = capsys.readouterr().err.splitlines()
    assert stop.value.code == 2
    assert str(own / "experiment" / "gpt.yaml") in line and "rename" in line
    assert list(own.parent.iterdir()) == [own]


def test_other_programs_keep_their_search_path(own):
    from hydra import compose, initialize_config_dir

    (own / "train.yaml").write_text("seed: 3\n")
    with initialize_config_dir(str(own), version_base="1.3"):
        assert compose("train") == {"seed": 3}
        assert config_folders() == [own]
