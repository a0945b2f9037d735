"""Whether a command starts a run, resumes one or repeats one, and the config that it then has."""

import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from ..errors import ConfigError
from ..tree import Config, leaves
from .absolute_paths import with_absolute_paths
from .overrides import apply_override, as_written, given_overrides
from .saved_configs import record_of, recorded_config, saved_config

if TYPE_CHECKING:
    from omegaconf import DictConfig

PER_RUN = ("run_dir", "sweep_dir", "resume", "repeat", "repeat_anyway")  # keys that every run sets for itself
PER_COMMAND = ("allow", "run_dir", "resume", "repeat")  # keys of a command line that change no value of a resumed run


def resumes(resume: object, run_dir: Path) -> bool:
    """Whether a command resumes the run in `run_dir`; `resume` is true, false or `auto`.

    With `auto`, and in a job that SLURM has requeued, it does if there is a run. Raises ConfigError if a new run would
    replace one that has checkpoints.
    """
    requeued = os.environ.get("SLURM_RESTART_COUNT", "0") != "0"
    if resume is True or ((resume == "auto" or requeued) and (run_dir / "config.yaml").is_file()):
        return True
    if has_checkpoints(run_dir):
        raise ConfigError([f"run_dir: {run_dir} holds a run; continue it with resume=true, or give another run_dir"])
    return False


def has_checkpoints(run_dir: Path) -> bool:
    """Whether a run has checkpoints to resume from, damaged ones included. best.ckpt holds only weights."""
    return any(path.name != "best.ckpt" for path in (run_dir / "checkpoints").glob("*.ckpt"))


def is_done(run_dir: Path) -> bool:
    """Whether the directory holds a run that has reached its end."""
    status = run_dir / "status.json"
    return status.is_file() and json.loads(status.read_text()).get("status") == "done"


def require_steps_ahead(run_dir: Path, max_steps: int | None) -> None:
    """Raises ConfigError if the newest checkpoint has more steps than the run may take."""
    names = [path.stem.removeprefix("step-") for path in (run_dir / "checkpoints").glob("step-*.ckpt")]
    newest = max((int(name) for name in names if name.isdigit()), default=0)
    if isinstance(max_steps, int) and max_steps < newest:
        raise ConfigError([f"max_steps: {max_steps} lies before the checkpoint's step {newest}; give {newest} or more"])


def resumed(run_dir: Path, only_if_any: bool = False) -> "DictConfig":
    """The config that the run was started with, changed by this command line.

    With `only_if_any` the command may be the one that started the run. It then starts again if there is no checkpoint.
    """
    saved, known = saved_config(run_dir), first_overrides(run_dir) if only_if_any else []
    for override in given_overrides():
        if override.key_or_group not in PER_COMMAND and override.input_line not in known:
            apply_override(saved, override, run_dir)
    saved.resume, saved.run_dir = not only_if_any or has_checkpoints(run_dir), str(run_dir)
    return saved


def first_overrides(run_dir: Path) -> list[str]:
    """The overrides of the command that started the run, from Hydra's record."""
    from omegaconf import ListConfig, OmegaConf

    record = run_dir / ".hydra" / "overrides.yaml"
    overrides = OmegaConf.load(record) if record.is_file() else None
    return as_written(overrides) if isinstance(overrides, ListConfig) else []


def repeated(config: "DictConfig") -> "DictConfig":
    """The config of the run that `config.repeat` names, changed by this command line."""
    from omegaconf import OmegaConf

    source = Path(config.repeat)
    saved = OmegaConf.create(recorded_config(source))
    for override in given_overrides():
        if override.key_or_group not in (*PER_RUN, "allow"):
            apply_override(saved, override, source)
    for name in PER_RUN:
        saved[name] = config[name]
    return saved


def name_of(source: str | None, name: str) -> str:
    """The name of the run that is repeated, so that both lie in the same folder; `name` if none is repeated."""
    if not source:
        return name
    try:
        return record_of(Path(source))[1].get("name", name)
    except (ConfigError, OSError):  # compose() raises it again, with a message
        return name


def changed_values(then: Config, now: Config) -> Iterator[str]:
    """A line for each value that differs between two configs, except those that every run sets for itself.

    Paths are compared as absolute ones, since records of earlier versions hold relative paths.
    """
    before, after = ({key: value for key, _, value in leaves(with_absolute_paths(config))} for config in (then, now))
    for key in before | after:
        if key not in PER_RUN and before.get(key) != after.get(key):
            yield f"{key}: {before.get(key)} then, {after.get(key)} now"
