"""Sweeps of a stand-in for train.py: what is promised of a sweep, without the time that training takes."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from hydra import compose, initialize_config_dir
from hydra._internal.config_loader_impl import ConfigLoaderImpl
from hydra._internal.utils import create_config_search_path
from omegaconf import DictConfig

from variformer.config import register_resolvers, spelled
from variformer.sweeps.planning import Plan, plan
from variformer.sweeps.sweeping import Sweep
from variformer.sweeps.trials import Trial, read_trials

from ..processes import forked_command

CONF = Path(__file__).parents[2] / "conf"
STAND_IN = Path(__file__).with_name("stand_in.py")
TRAIN = Path(__file__).parents[2] / "train.py"


class Sweeping:
    """Runs sweeps in one folder; `sweeps/` in it is where they lie."""

    def __init__(self, folder: Path):
        self.folder = folder

    def start(self, *arguments: str, script: Path = STAND_IN, **environment: str) -> subprocess.Popen:
        return subprocess.Popen(
            [sys.executable, str(script), "-m", *arguments],
            cwd=self.folder,
            env=os.environ | {"OMP_NUM_THREADS": "1"} | environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )

    def run(
        self, *arguments: str, script: Path = STAND_IN, new: bool = False, **environment: str
    ) -> subprocess.CompletedProcess:
        """Forked, unless `new` or a launcher needs a new interpreter: its imports take longer than the sweep."""
        if script == STAND_IN and not new and not any(each.startswith("launch=") for each in arguments):
            return forked_command(script, "-m", *arguments, folder=self.folder, OMP_NUM_THREADS="1", **environment)
        process = self.start(*arguments, script=script, **environment)
        out, errors = process.communicate(timeout=550)
        return subprocess.CompletedProcess(process.args, process.returncode, out, errors)

    def run_well(self, *arguments: str, **settings) -> subprocess.CompletedProcess:
        done = self.run(*arguments, **settings)
        assert done.returncode == 0, done.stdout + done.stderr
        return done

    @property
    def path(self) -> Path:
        (path,) = (self.folder / "sweeps").iterdir()
        return path

    def trials(self) -> list[Trial]:
        return read_trials(self.path)

    def wait_for(self, number: int, steps: int = 1) -> Path:
        """Until that trial has taken so many steps; its folder."""

        def far_enough() -> Path | None:
            for folder in self.folder.glob("sweeps/*/trials/*"):
                record, saved = folder / "trial.json", folder / "saved"
                far = saved.is_file() and int(saved.read_text() or 0) >= steps
                if far and json.loads(record.read_text())["number"] == number:
                    return folder
            return None

        return until(far_enough)


def until(condition: Callable[[], Any], patience: float = 120) -> Any:
    """What `condition` returns as soon as it is true. Raises TimeoutError after `patience` seconds."""
    deadline = time.monotonic() + patience
    while not (answer := condition()):
        if time.monotonic() > deadline:
            raise TimeoutError(f"{condition} was never true in {patience:g} s")
        time.sleep(0.05)
    return answer


def planned(*arguments: str) -> Plan:
    """What `python train.py -m` makes of them; Hydra keeps its own to itself."""
    own = [each for each in spelled(arguments, [CONF]) if not each.startswith(("hydra.", "hydra/"))]
    return plan(own, config_of(*arguments))


def sweep_of(*arguments: str, launcher: Any = None) -> Sweep:
    """The same as a sweep that has launched nothing."""
    context: Any = SimpleNamespace(config_loader=ConfigLoaderImpl(create_config_search_path(str(CONF))))
    return Sweep(planned(*arguments), config_of(*arguments), context, launcher)


def config_of(*arguments: str) -> DictConfig:
    register_resolvers()
    fixed = [each for each in spelled(arguments, [CONF]) if "," not in each and "(" not in each]
    with initialize_config_dir(str(CONF), version_base="1.3"):
        return compose("train", fixed, return_hydra_config=True)


def starts(folder: Path) -> list[dict]:
    """What each process of a trial noted when it started."""
    return [json.loads(line) for line in (folder / "starts.txt").read_text().splitlines()]


def ended_by(process: subprocess.Popen, signum: int) -> tuple[int, str]:
    """Send a signal; exit code and output."""
    process.send_signal(signum)
    out, errors = process.communicate(timeout=120)
    return process.returncode, out + errors


def kill_alone(process: subprocess.Popen) -> None:
    """The sweep's process and nothing else, as when memory runs out."""
    os.kill(process.pid, signal.SIGKILL)
    process.communicate(timeout=120)


@pytest.fixture
def sweeping(tmp_path) -> Sweeping:
    return Sweeping(tmp_path)
