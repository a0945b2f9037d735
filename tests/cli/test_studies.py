"""`variformer new` writes a project that composes, trains and passes its own test at once."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

import variformer
from variformer.cli.studies import TEMPLATE, write_study

SOURCE = Path(__file__).parents[2] / "src"


def test_a_new_study_composes_without_being_imported(nothing_allowed, monkeypatch):
    folder = write_study("my_other")
    files = {str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()}
    assert {"pyproject.toml", "README.md", ".gitignore", "conf/study.yaml", "conf/experiment/my_other.yaml"} <= files
    assert {"my_other/model.py", "my_other/objective.py", "my_other/callback.py", "tests/test_my_other.py"} <= files
    assert not any("my_study" in (folder / file).read_text() for file in files)
    monkeypatch.chdir(folder)
    config = variformer.compose("experiment=my_other")
    assert config["model"]["_target_"] == "my_other.model.Averaging"
    assert "my_other" not in sys.modules
    with pytest.raises(variformer.ConfigError, match=r"objective\.smoothing: 2\.0 is not a number from 0 to 1"):
        variformer.compose("experiment=my_other", "objective.smoothing=2.0")


@pytest.mark.parametrize("name", ["My-Study", "2nd", "class", "os", "torch", "variformer", "tests", "a/b", ""])
def test_a_name_that_no_package_may_have_is_refused(nothing_allowed, name):
    with pytest.raises(ValueError, match=r"^new: `") as refused:
        write_study(name)
    assert "\n" not in str(refused.value) and list(nothing_allowed.iterdir()) == []


def test_a_folder_that_is_not_empty_stays_as_it_is(nothing_allowed):
    (nothing_allowed / "my_other").mkdir()
    (nothing_allowed / "my_other" / "kept").write_text("mine")
    with pytest.raises(FileExistsError, match=r"^new: .*my_other already exists"):
        write_study("my_other")
    assert [path.name for path in (nothing_allowed / "my_other").iterdir()] == ["kept"]


def test_the_templates_name_the_study_everywhere():
    """So that another name can take its place."""
    assert "my_study" in (TEMPLATE / "pyproject.toml").read_text()
    assert any("my_study" in path.name for path in TEMPLATE.rglob("*.yaml"))


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_a_new_study_trains_and_passes_its_test(tmp_path):
    """By the commands that its README has, as other processes; nothing is installed. Its test scores the run again."""
    environment = os.environ | {"PYTHONPATH": str(SOURCE)}

    def command(*words: str, folder: Path) -> None:
        done = subprocess.run([sys.executable, *words], cwd=folder, env=environment, capture_output=True, text=True)
        assert done.returncode == 0, done.stdout + done.stderr

    study = write_study("my_other", tmp_path)
    command("-m", "pytest", "-q", "-p", "no:cacheprovider", str(study), folder=tmp_path)
    few = ["max_steps=4", "trainer.validate_every=2", "trainer.validation_samples=4", "run_dir=runs/x"]
    command("-m", "variformer", "train", "experiment=my_other", *few, folder=study)
    assert (study / "runs" / "x" / "metrics.json").is_file()
