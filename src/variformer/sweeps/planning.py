"""The plan of a sweep: what its command line asks for."""

import sys
from collections.abc import Container, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field
from itertools import product
from pathlib import Path
from typing import TYPE_CHECKING

from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import Override
from omegaconf import DictConfig, OmegaConf

from ..config import ConfigError
from ..config.classes.attributes import monitored
from ..config.composing.compose import allow_packages, plain_config
from ..config.composing.overrides import as_written, set_or_add
from ..config.composing.saved_configs import recorded_config
from ..config.errors import did_you_mean
from ..config.tree import Config
from .directory import NOT_IDENTITY, Facts, folder_of, key_of
from .trials import Study

if TYPE_CHECKING:
    from hydra.conf import HydraConf

GIVEN = ("run_dir", "resume")  # keys that the sweep sets for each trial
CONFIG = "train"  # the config that trials compose, unless --config-name gives another


@dataclass(frozen=True)
class Point:
    """A trial that is to run: its number and the swept values, as the command line writes them."""

    number: int
    overrides: dict[str, str]
    search: Study = field(default_factory=Study)  # empty in a grid


@dataclass(frozen=True)
class Plan:
    """What all trials of a sweep have in common, and what differs between them."""

    fixed: list[str]  # overrides of all trials, without those that say where the sweep runs
    shared: list[str]  # the same, with those
    swept: dict[str, list[str]]  # of a grid: the values of each key
    space: Config | None  # of a search: the values of each key, in Hydra's grammar
    drawn_by: Config | None  # of a search: the nodes of its sampler and its pruner
    where: Path
    repeats: bool = False  # whether trials repeat a saved run, which may have keys that the default config lacks

    @property
    def facts(self) -> Facts:
        """What makes it this sweep and no other. The values of a grid are left out, since a grid may grow."""
        return {"fixed": sorted(self.fixed), "space": self.space, "drawn_by": self.drawn_by}

    def points(self) -> list[Point]:
        """The points of a grid in the order of the command line; the last key changes fastest."""
        combinations = product(*self.swept.values())
        return [Point(i, dict(zip(self.swept, each, strict=True))) for i, each in enumerate(combinations)]

    def words(self, overrides: Mapping[str, str]) -> list[str]:
        """The swept values of a trial as Hydra accepts them."""
        words = [f"{key}={value}" for key, value in overrides.items()]
        return [set_or_add(word) for word in words] if self.repeats else words

    def choices(self, keys: Sequence[str]) -> list[list[str]]:
        """All combinations of overrides of those `keys` that are swept over a list of values."""
        options = {key: self.options(key) for key in (self.space or self.swept) if key in keys}
        return [self.words(dict(zip(options, chosen, strict=True))) for chosen in product(*options.values())]

    def each_option_once(self, keys: Container[str]) -> list[list[str]]:
        """Overrides that take each option of the swept `keys` once, beside the first option of the other keys."""
        options = {key: self.options(key) for key in (self.space or self.swept) if key in keys}
        first = {key: values[0] for key, values in options.items() if values}
        others = [first | {key: option} for key, values in options.items() for option in values[1:]]
        return [self.words(chosen) for chosen in (first, *others)]

    def options(self, key: str) -> list[str]:
        if self.space is None:
            return self.swept[key]
        from .space import space_of, text

        return [text(each) for each in getattr(space_of({key: self.space[key]})[key], "choices", ())]


def plan(arguments: Sequence[str], config: DictConfig) -> Plan:
    """The plan of `variformer train -m` from its arguments and the config that they compose to. Raises ConfigError."""
    allow_packages(config.copy())
    overrides = OverridesParser.create().parse_overrides(list(arguments))
    refuse_unfit(overrides, config)
    run = repeated_config(config)
    prefix = "" if run is None else "++"  # `spelled` has put it before the keys, and `words` does so again
    moving = {each.get_key_element().removeprefix(prefix): each for each in overrides if each.is_sweep_override()}
    shared = [each.input_line or "" for each in overrides if not each.is_sweep_override()]
    fixed = [*flags(config.hydra), *(each for each in shared if key_of(each) not in NOT_IDENTITY)]
    space = space_in(moving, {key_of(each) for each in shared}, config)
    swept = {key: values_of(each) for key, each in moving.items()} if space is None else {}
    require_keys([*(swept if space is None else space)], run or config, config.hydra.runtime.choices)
    name = config.hydra.runtime.choices.get("sweep") or str(config.name)
    drawn_by: Config | None = None
    if space is not None:
        drawn_by = {kind: plain_config(config.hydra.sweeper[kind], resolve=False) for kind in ("sampler", "pruner")}
    default = folder_of(name, [sorted(fixed), space, sorted(swept.items()), *([drawn_by] if drawn_by else [])])
    where = Path(config.sweep_dir or default)
    return Plan(fixed, shared, swept, space, drawn_by, where, repeats=run is not None)


def refuse_unfit(overrides: Sequence[Override], config: DictConfig) -> None:
    """Raises ConfigError for what a command line cannot ask of a sweep."""
    given = [each.key_or_group for each in overrides if each.key_or_group in GIVEN]
    if given:
        raise ConfigError([f"{name}: a sweep sets it for each trial; set sweep_dir for all" for name in given])
    if config.get("validate_only"):
        raise ConfigError(["validate_only: shows the plan of one run; leave out -m"])
    if config.hydra.sweeper.n_jobs < 1:
        raise ConfigError([f"hydra.sweeper.n_jobs: {config.hydra.sweeper.n_jobs} is not a number of trials; set 1"])
    if any(argument.partition("=")[0] in ("--config-path", "-cp") for argument in sys.argv[1:]):
        raise ConfigError(["--config-path: trials would not see it; add a folder of configs with --config-dir"])
    of_hydra = {key_of(each) for each in as_written(config.hydra.overrides.hydra)}
    if of_hydra & {"hydra.sweep.dir", "hydra.sweep.subdir"}:
        raise ConfigError(["hydra.sweep: the folder of a trial follows from its values; set sweep_dir for all"])


def flags(hydra: "HydraConf") -> list[str]:
    """The words of a command line that say where configs lie. Every trial needs them, too."""
    folders = [source.path for source in hydra.runtime.config_sources if source.provider == "command-line"]
    name = hydra.job.config_name
    return [
        *([f"--config-name={name}"] if name != CONFIG else []),
        *(f"--config-dir={folder}" for folder in folders),
        *(each for each in as_written(hydra.overrides.hydra) if key_of(each) == "hydra.searchpath"),
    ]


def repeated_config(config: DictConfig) -> DictConfig | None:
    """The config of the run that trials repeat; None without `repeat=`. Raises ConfigError if there is no such run."""
    try:
        return OmegaConf.create(recorded_config(Path(config.repeat))) if config.get("repeat") else None
    except FileNotFoundError as error:
        raise ConfigError([str(error)]) from error


def space_in(moving: Mapping[str, Override], fixed: AbstractSet[str], config: DictConfig) -> Config | None:
    """The values that a search proposes, in Hydra's grammar; None for a grid.

    They are the sweeps of the command line, and those of hydra.sweeper.params that the command line has not `fixed`.
    """
    params = plain_config(config.hydra.sweeper.params) if config.hydra.sweeper.params else {}
    if not params and all(each.is_discrete_sweep() for each in moving.values()):
        return None
    space: Config = {str(key): grammar for key, grammar in params.items() if key not in fixed}
    space |= {key: (each.input_line or "").partition("=")[2] for key, each in moving.items()}
    if not space:
        raise ConfigError(["hydra.sweeper.params: the command line sets every key; leave out -m and sweep="])
    return space


def monitored_by(config: DictConfig) -> tuple[str, str]:
    """The metric that a trial's objective monitors, and min or max. Raises ConfigError for an unknown objective."""
    try:
        return monitored(plain_config((repeated_config(config) or config).objective))
    except LookupError as error:
        raise ConfigError([f"objective._target_: {error}"]) from error


def require_keys(keys: Sequence[str], config: DictConfig, groups: Container[str]) -> None:
    """Raises ConfigError, with a similar key, for keys that are neither in the config nor groups.

    Keys within a swept group are not known here. They are checked when the trial composes its config.
    """
    problems = []
    unknown = tuple(f"{key.replace('/', '.')}." for key in keys if key in groups)
    for key in keys if "experiment" not in keys else ():
        if key.startswith(unknown) or key in groups or key[0] in "+~":
            continue
        if wrong := misspelled(key, config):
            problems.append(f"{key}: no such key or group{did_you_mean(*wrong)}")
    if problems:
        raise ConfigError(problems)


def misspelled(key: str, config: DictConfig) -> tuple[str, list[str]] | None:
    """The first part of a full key that the config lacks, and the names that it has instead; None if it has all."""
    parts = key.split(".")
    for depth, part in enumerate(parts):
        section = OmegaConf.select(config, ".".join(parts[:depth])) if depth else config
        known = [str(name) for name in section] if OmegaConf.is_dict(section) else []
        if part not in known:
            return part, known
    return None


def values_of(override: Override) -> list[str]:
    return list(dict.fromkeys(override.sweep_string_iterator()))
