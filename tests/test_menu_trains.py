"""Every training command in the menus of README.md composes, and those that need no download train for two steps."""

import math
import re
import shlex
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from variformer.runs.train import train

README = Path(__file__).parents[1] / "README.md"
DOWNLOADS = {"data=cifar10", "data=hub_text"}  # of data sets that lie elsewhere: composed and checked, but not run
HUGE = "experiment=papers/"  # which test_papers.py builds
TEACHERS = {"experiment=distilbert": "experiment=bert", "experiment=deit": "experiment=vit"}


def menu() -> list[str]:
    """The overrides of each `python train.py ...` in a table between the headings of the menu and of the systems."""
    text = README.read_text(encoding="utf-8").partition("## The menu")[2].partition("## Systems")[0]
    rows = [line for line in text.splitlines() if line.startswith("|")]
    return [command for row in rows for command in re.findall(r"`python train\.py ([^`]+)`", row)]


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    """A working directory with the texts and the photographs that the commands name."""
    folder = tmp_path_factory.mktemp("place")
    (folder / "docs").mkdir()
    for number in range(8):
        lines = [f"Page {number} says that {each} times {each} is {each * each}." for each in range(200)]
        (folder / "docs" / f"{number}.txt").write_text("\n".join(lines))
    random = np.random.default_rng(0)
    for label in "abcde":
        (folder / "photos" / label).mkdir(parents=True)
        for number in range(12):
            pixels = random.integers(0, 256, (80, 72, 3), dtype=np.uint8)
            Image.fromarray(pixels).save(folder / "photos" / label / f"{number}.png")
    return folder


@pytest.fixture(scope="module")
def teachers(composed):
    """The run of each student's teacher, made when it is first needed."""
    made: dict[str, str] = {}

    def teacher(experiment: str) -> str:
        if experiment not in made:
            config = composed(TEACHERS[experiment], "debug=fast")
            train(config)
            made[experiment] = config["run_dir"]
        return made[experiment]

    return teacher


def test_the_menu_has_its_commands():
    assert len(menu()) > 35


@pytest.mark.slow
@pytest.mark.parametrize("command", menu())
def test_each_command_of_the_menu_trains(composed, teachers, place, monkeypatch, command):
    monkeypatch.chdir(place)
    overrides = shlex.split(command)
    if overrides[-1] == "objective.teacher=RUN":
        overrides[-1] = f"objective.teacher={teachers(overrides[0])}"
    runs = not (HUGE in command or DOWNLOADS.intersection(overrides))
    config = composed(*overrides, *(["debug=fast", "max_steps=2"] if runs else []))
    assert not runs or math.isfinite(train(config))
