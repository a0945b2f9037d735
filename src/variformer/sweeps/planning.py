"""What the command line of a sweep asks for."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import product
from pathlib import Path
from typing import Any

from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import Override
from omegaconf import DictConfig, OmegaConf

from ..config import ConfigError
from ..config.nearest import hint
from .directory import ELSEWHERE, folder_of, key_of

OWN = ("run_dir", "resume")  # what the sweep gives each trial


@dataclass(frozen=True)
class Point:
    """A trial to be: its number and the values that it takes, as the command line writes them."""

    number: int
    overrides: dict[str, str]
    search: dict[str, Any] = field(default_factory=dict)  # where a search keeps its record of this trial


@dataclass(frozen=True)
class Plan:
    """What a command line asks for: what all trials share, and what differs between them."""

    fixed: list[str]  # but for where the sweep runs
    shared: list[str]  # with it
    swept: dict[str, list[str]]  # of a grid
    space: dict[str, Any] | None  # of a search, in Hydra's grammar
    where: Path

    @property
    def facts(self) -> dict[str, Any]:
        """What makes it this sweep and no other; a grid may grow."""
        return {"fixed": sorted(self.fixed), "space": self.space}

    def points(self) -> list[Point]:
        """Of a grid, in the order of the command line, the last key changing fastest."""
        combinations = product(*self.swept.values())
        return [Point(i, dict(zip(self.swept, each, strict=True))) for i, each in enumerate(combinations)]


def plan(arguments: Sequence[str], config: DictConfig) -> Plan:
    """From the arguments of `python train.py -m` and the config they compose to. Raises ConfigError."""
    overrides = OverridesParser.create().parse_overrides(list(arguments))
    given = [each.key_or_group for each in overrides if each.key_or_group in OWN]
    if given:
        raise ConfigError([f"{name}: a sweep gives each trial its own; set sweep_dir for all" for name in given])
    if config.get("validate_only"):
        raise ConfigError(["validate_only: tells the plan of one run; leave out -m"])
    if config.hydra.sweeper.n_jobs < 1:
        raise ConfigError([f"hydra.sweeper.n_jobs: {config.hydra.sweeper.n_jobs} trials at once is no number of them"])
    moving = [each for each in overrides if each.is_sweep_override()]
    shared = [each.input_line or "" for each in overrides if not each.is_sweep_override()]
    fixed = [each for each in shared if key_of(each) not in ELSEWHERE]
    space = space_in(moving, config)
    swept = {each.get_key_element(): values_of(each) for each in moving} if space is None else {}
    require_keys([*(swept if space is None else space)], config)
    name = config.hydra.runtime.choices.get("sweep") or config.name
    own = folder_of(name, [sorted(fixed), space, sorted(swept.items())])
    return Plan(fixed, shared, swept, space, Path(config.sweep_dir or own))


def space_in(moving: Sequence[Override], config: DictConfig) -> dict[str, Any] | None:
    """What a search draws from: hydra.sweeper.params, and the sweeps of the command line. None for a grid."""
    params = OmegaConf.to_container(config.hydra.sweeper.params or OmegaConf.create({}), resolve=True)
    assert isinstance(params, dict)
    if not params and all(each.is_discrete_sweep() for each in moving):
        return None
    typed = {each.get_key_element(): (each.input_line or "").partition("=")[2] for each in moving}
    return {str(key): grammar for key, grammar in params.items()} | typed


def require_keys(keys: Sequence[str], config: DictConfig) -> None:
    """Raises ConfigError for keys that are neither in the config nor groups of it, with the nearest that are."""
    problems = []
    for key in keys:
        *path, last = key.split(".")
        section = OmegaConf.select(config, ".".join(path)) if path else config
        known = [str(name) for name in section] if OmegaConf.is_dict(section) else []
        if key not in config.hydra.runtime.choices and last not in known and key[0] not in "+~":
            problems.append(f"{key}: no such key or group{hint(last, known)}")
    if problems:
        raise ConfigError(problems)


def values_of(override: Override) -> list[str]:
    return list(dict.fromkeys(override.sweep_string_iterator()))
