"""Whether a command starts a run or goes on with one."""

import json
import os
from pathlib import Path
from typing import Any

from ..checking.check import ConfigError
from .overrides import typed


def goes_on(resume: Any, run_dir: Path) -> bool:
    """`resume=true` does; `auto`, and a job that SLURM has requeued, where there is a run already.

    Raises ConfigError where a new run would take the place of one that has checkpoints.
    """
    requeued = os.environ.get("SLURM_RESTART_COUNT", "0") != "0"
    if resume is True or ((resume == "auto" or requeued) and (run_dir / "config.yaml").is_file()):
        return True
    if has_checkpoints(run_dir):
        raise ConfigError([f"run_dir: {run_dir} holds a run; continue it with resume=true, or give another run_dir"])
    return False


def has_checkpoints(run_dir: Path) -> bool:
    """Whether a run has any to go on from, broken ones too; best.ckpt holds weights alone."""
    return any(path.name != "best.ckpt" for path in (run_dir / "checkpoints").glob("*.ckpt"))


def is_done(run_dir: Path) -> bool:
    """Whether a run is there that has ended as it should."""
    status = run_dir / "status.json"
    return status.is_file() and json.loads(status.read_text()).get("status") == "done"


def require_steps_ahead(run_dir: Path, max_steps: int | None) -> None:
    """Raises ConfigError where the newest checkpoint lies beyond the steps that the run is given."""
    names = [path.stem.removeprefix("step-") for path in (run_dir / "checkpoints").glob("step-*.ckpt")]
    newest = max((int(name) for name in names if name.isdigit()), default=0)
    if isinstance(max_steps, int) and max_steps < newest:
        raise ConfigError([f"max_steps: {max_steps} lies before the checkpoint's step {newest}; give {newest} or more"])


def started_with(run_dir: Path) -> list[str]:
    """The overrides of the command that began the run, from Hydra's record."""
    from omegaconf import OmegaConf

    record = run_dir / ".hydra" / "overrides.yaml"
    return typed(OmegaConf.load(record)) if record.is_file() else []
