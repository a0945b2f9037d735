"""The image: its recipe passes the linter, and nothing that the repository tracks is left out of it."""

import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
RECIPE = ROOT / "Dockerfile"


def test_the_linter_has_no_complaint():
    linter = shutil.which("hadolint", path=Path(sys.executable).parent)
    if linter is None:
        pytest.skip("hadolint has no package for this system")
    result = subprocess.run([linter, RECIPE], capture_output=True, text=True)
    assert result.returncode == 0, result.stdout


def test_no_tracked_file_is_left_out():
    """With a file missing, git would count the code in the image as changed."""
    patterns = [f"/{each}" if "*" not in each else each for each in (ROOT / ".dockerignore").read_text().split()]
    exclude = [argument for pattern in patterns for argument in ("--exclude", pattern)]
    tracked = ["git", "ls-files", "--cached", "--ignored", *exclude]
    result = subprocess.run(tracked, cwd=ROOT, capture_output=True, text=True, check=True)
    assert not result.stdout  # patterns of Docker's without a star begin at the top


def test_the_image_starts_a_command_of_the_package():
    scripts = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["scripts"]
    assert [f'ENTRYPOINT ["{name}"]' for name in scripts] == [
        line for line in RECIPE.read_text().splitlines() if line.startswith("ENTRYPOINT")
    ]
