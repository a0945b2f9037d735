"""The project's commands, as processes of their own."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


def command(script: str, *arguments: str, folder: Path, **environment: str) -> subprocess.CompletedProcess:
    inherited = {name: value for name, value in os.environ.items() if name != "WANDB_SERVICE"}  # of another test's W&B
    return subprocess.run(
        [sys.executable, str(ROOT / script), *arguments],
        cwd=folder,
        env=inherited | {"OMP_NUM_THREADS": "1"} | environment,
        capture_output=True,
        text=True,
        timeout=280,
    )


@pytest.fixture(scope="module", autouse=True)
def quick(no_picture_of_the_curves):
    """test_commands.py, whose runs are processes of their own, has the picture."""
