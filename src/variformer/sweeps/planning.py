"""What the command line of a sweep asks for."""

import sys
from collections.abc import Container, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field
from itertools import product
from pathlib import Path
from typing import Any

from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import Override
from omegaconf import DictConfig, OmegaConf

from ..config import ConfigError
from ..config.classes.nearest import hint
from ..config.classes.watched import watched
from ..config.composing.compose import allow_packages
from ..config.composing.overrides import typed
from ..config.composing.repeating import config_of
from ..config.composing.spelling import added
from .directory import ELSEWHERE, folder_of, key_of

OWN = ("run_dir", "resume")  # what the sweep gives each trial
CONFIG = "train"  # the config that trials compose, unless --config-name says another


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
    drawn_by: dict[str, Any] | None  # of a search, the nodes of its sampler and its pruner
    where: Path
    repeats: bool = False  # a saved run, which may have keys that the default config has not

    @property
    def facts(self) -> dict[str, Any]:
        """What makes it this sweep and no other; a grid may grow."""
        return {"fixed": sorted(self.fixed), "space": self.space, "drawn_by": self.drawn_by}

    def points(self) -> list[Point]:
        """Of a grid, in the order of the command line, the last key changing fastest."""
        combinations = product(*self.swept.values())
        return [Point(i, dict(zip(self.swept, each, strict=True))) for i, each in enumerate(combinations)]

    def words(self, overrides: Mapping[str, str]) -> list[str]:
        """A trial's values as Hydra takes them."""
        words = [f"{key}={value}" for key, value in overrides.items()]
        return [added(word) for word in words] if self.repeats else words

    def choices(self, keys: Sequence[str]) -> list[list[str]]:
        """All combinations of overrides for those of the `keys` that are swept over named options."""
        options = {key: self.options(key) for key in (self.space or self.swept) if key in keys}
        return [self.words(dict(zip(options, chosen, strict=True))) for chosen in product(*options.values())]

    def one_by_one(self, keys: Container[str]) -> list[list[str]]:
        """Overrides that take each option of those of the `keys` that are swept once, beside the others' first."""
        options = {key: self.options(key) for key in (self.space or self.swept) if key in keys}
        first = {key: there[0] for key, there in options.items() if there}
        others = [first | {key: option} for key, there in options.items() for option in there[1:]]
        return [self.words(chosen) for chosen in (first, *others)]

    def options(self, key: str) -> list[str]:
        if self.space is None:
            return self.swept[key]
        from .space import space_of, text

        return [text(each) for each in getattr(space_of({key: self.space[key]})[key], "choices", ())]


def plan(arguments: Sequence[str], config: DictConfig) -> Plan:
    """From the arguments of `variformer train -m` and the config they compose to. Raises ConfigError."""
    allow_packages(config.copy())
    overrides = OverridesParser.create().parse_overrides(list(arguments))
    given = [each.key_or_group for each in overrides if each.key_or_group in OWN]
    if given:
        raise ConfigError([f"{name}: a sweep gives each trial its own; set sweep_dir for all" for name in given])
    if config.get("validate_only"):
        raise ConfigError(["validate_only: tells the plan of one run; leave out -m"])
    if config.hydra.sweeper.n_jobs < 1:
        raise ConfigError([f"hydra.sweeper.n_jobs: {config.hydra.sweeper.n_jobs} trials at once is no number of them"])
    if any(argument.partition("=")[0] in ("--config-path", "-cp") for argument in sys.argv[1:]):
        raise ConfigError(["--config-path: trials would not see it; add a folder of configs with --config-dir"])
    if any(key_of(each) in ("hydra.sweep.dir", "hydra.sweep.subdir") for each in typed(config.hydra.overrides.hydra)):
        raise ConfigError(["hydra.sweep: each trial has a folder that follows from its values; set sweep_dir for all"])
    run = saved(config)
    prefix = "" if run is None else "++"  # which `spelled` has put before the keys, and `words` puts there again
    moving = {each.get_key_element().removeprefix(prefix): each for each in overrides if each.is_sweep_override()}
    shared = [each.input_line or "" for each in overrides if not each.is_sweep_override()]
    fixed = [*flags(config.hydra), *(each for each in shared if key_of(each) not in ELSEWHERE)]
    space = space_in(moving, {key_of(each) for each in shared}, config)
    swept = {key: values_of(each) for key, each in moving.items()} if space is None else {}
    require_keys([*(swept if space is None else space)], run or config, config.hydra.runtime.choices)
    name = config.hydra.runtime.choices.get("sweep") or str(config.name)
    drawn_by = None if space is None else {kind: plain(config.hydra.sweeper[kind]) for kind in ("sampler", "pruner")}
    own = folder_of(name, [sorted(fixed), space, sorted(swept.items()), *([drawn_by] if drawn_by else [])])
    where = Path(config.sweep_dir or own)
    return Plan(fixed, shared, swept, space, drawn_by, where, repeats=run is not None)


def plain(config: DictConfig) -> dict[str, Any]:
    """As dicts and lists, with interpolations as they are written."""
    return OmegaConf.to_container(config, resolve=False)  # type: ignore[return-value]


def flags(hydra: Any) -> list[str]:
    """What of a command line says where configs lie: every trial needs it too."""
    folders = [source.path for source in hydra.runtime.config_sources if source.provider == "command-line"]
    name = hydra.job.config_name
    return [
        *([f"--config-name={name}"] if name != CONFIG else []),
        *(f"--config-dir={folder}" for folder in folders),
        *(each for each in typed(hydra.overrides.hydra) if key_of(each) == "hydra.searchpath"),
    ]


def saved(config: DictConfig) -> DictConfig | None:
    """The config that trials start from where the command has `repeat=`: that of the run. Raises ConfigError."""
    try:
        return OmegaConf.create(config_of(Path(config.repeat))) if config.get("repeat") else None
    except FileNotFoundError as error:
        raise ConfigError([str(error)]) from error


def space_in(moving: Mapping[str, Override], fixed: AbstractSet[str], config: DictConfig) -> dict[str, Any] | None:
    """What a search draws from: the sweeps of the command line, and hydra.sweeper.params but for what the command line
    has `fixed`. None for a grid.
    """
    params = OmegaConf.to_container(config.hydra.sweeper.params or OmegaConf.create({}), resolve=True)
    assert isinstance(params, dict)
    if not params and all(each.is_discrete_sweep() for each in moving.values()):
        return None
    drawn = {key: (each.input_line or "").partition("=")[2] for key, each in moving.items()}
    space = {str(key): grammar for key, grammar in params.items() if key not in fixed} | drawn
    if not space:
        raise ConfigError(["hydra.sweeper.params: the command line sets all that is searched; leave out -m and sweep="])
    return space


def watched_by(config: DictConfig) -> tuple[str, str]:
    """What the objective of a trial watches: the metric and min or max. Raises ConfigError for one that is unknown."""
    objective: Any = OmegaConf.to_container((saved(config) or config).objective)
    try:
        return watched(objective)
    except LookupError as error:
        raise ConfigError([f"objective._target_: {error}"]) from error


def require_keys(keys: Sequence[str], config: DictConfig, groups: Container[str]) -> None:
    """Raises ConfigError for keys that are neither in the config nor groups, with the nearest that are.

    What a swept group holds is not known here: there each trial is checked when it composes.
    """
    problems = []
    unknown = tuple(f"{key.replace('/', '.')}." for key in keys if key in groups)
    for key in keys if "experiment" not in keys else ():
        if key.startswith(unknown) or key in groups or key[0] in "+~":
            continue
        if wrong := misspelled(key, config):
            problems.append(f"{key}: no such key or group{hint(*wrong)}")
    if problems:
        raise ConfigError(problems)


def misspelled(key: str, config: DictConfig) -> tuple[str, list[str]] | None:
    """The first part of a dotted key that the config has not, if there is one, with those that it has there."""
    parts = key.split(".")
    for depth, part in enumerate(parts):
        section = OmegaConf.select(config, ".".join(parts[:depth])) if depth else config
        known = [str(name) for name in section] if OmegaConf.is_dict(section) else []
        if part not in known:
            return part, known
    return None


def values_of(override: Override) -> list[str]:
    return list(dict.fromkeys(override.sweep_string_iterator()))
