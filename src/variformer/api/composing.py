"""Configs from Python, composed as on a command line, without a change to Hydra's state in the calling program."""

import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from copy import deepcopy
from itertools import chain, count
from pathlib import Path
from typing import Any

import yaml

from ..config import ConfigError, check, clashes, folders_of, leads, register_resolvers, spelled
from ..config import compose as checked
from ..config.composing.absolute_paths import with_absolute_paths
from ..config.composing.compose import default_values
from ..config.composing.earlier_runs import resumes
from ..config.composing.hydra_errors import unknown_keys
from ..config.composing.run_folder import folder_problems, name_problems
from ..config.schema import Experiment
from ..configs import packaged
from ..runs.origins import find_sources, source_config

RUN_DIR = "VARIFORMER_RUN_DIR"  # the directory of rank zero, for the processes that Lightning starts
OF_AN_APP = ("GlobalHydra", "HydraConfig", "JobRuntime", "VersionBase")  # in Hydra's state; the rest is registered once


class Config(dict[str, Any]):
    """The checked config of a run, without interpolations, printed as YAML. Values may be changed before training."""

    has_own_directory = False  # whether the caller has named run_dir

    def __repr__(self) -> str:
        return yaml.safe_dump(dict(self), sort_keys=False, allow_unicode=True, width=110).rstrip()


def compose(*overrides: str, config_dir: str | Path | None = None) -> Config:
    """The config of `variformer train OVERRIDES`: `compose("experiment=gpt", "model/norm=rms", "optimizer.lr=1e-3")`.

    The options of a folder conf/ in the working directory join those of the package, and so do those of `config_dir`.
    Raises ConfigError with the lines that the command would print.
    """
    words = [
        *overrides,
        *([] if config_dir is None else [f"hydra.searchpath=['file://{Path(config_dir).absolute()}']"]),
    ]
    with hydra_aside():
        folders = folders_of(words)
        if problems := list(clashes(folders)):
            raise ConfigError(problems)
        register_resolvers()
        try:
            config = Config(checked(composed(spelled(words, folders), folders), source_config))
        except OSError as error:
            raise as_config_error(error) from error
    config.has_own_directory = any(each.partition("=")[0] == "run_dir" for each in overrides)
    return config


def composed(words: list[str], folders: Sequence[Path]) -> Any:
    """The config as Hydra hands it to a command. The command line itself stands in Hydra's own part of it."""
    from hydra import compose, initialize_config_dir
    from hydra.core.hydra_config import HydraConfig
    from hydra.errors import HydraException
    from omegaconf import open_dict

    try:
        with initialize_config_dir(str(packaged()), job_name="train", version_base="1.3"):
            config = compose("train", words, return_hydra_config=True)
    except HydraException as error:
        reason = " ".join(f"{error} {error.__cause__ or ''}".split())
        raise ConfigError(unknown_keys(folders, "train", words) or [reason]) from error
    assert config.hydra.run.dir  # makes the stamp of the time, which both parts then share
    HydraConfig.instance().set_config(config)
    own = deepcopy(config)
    with open_dict(own):
        del own["hydra"]
    return own


@contextmanager
def hydra_aside() -> Iterator[None]:
    """A context in which Hydra and OmegaConf have a state of their own. Afterwards the program's state is as before."""
    from hydra.core.singleton import Singleton
    from omegaconf.basecontainer import BaseContainer

    instances, resolvers = Singleton._instances, BaseContainer._resolvers
    Singleton._instances = {kind: each for kind, each in instances.items() if kind.__name__ not in OF_AN_APP}
    BaseContainer._resolvers = dict(resolvers)
    try:
        yield
    finally:
        instances |= {kind: each for kind, each in Singleton._instances.items() if kind.__name__ not in OF_AN_APP}
        Singleton._instances, BaseContainer._resolvers = instances, resolvers


def ready(config: Mapping[str, Any]) -> dict[str, Any]:
    """The config as training takes it: checked once more, with a directory that can be written. Raises ConfigError."""
    plain = default_values(Experiment) | deepcopy(dict(config))
    if plain.pop("allow"):  # no config of a run has this key
        raise ConfigError(["allow: only compose takes it, as in compose('allow=my_study', ...)"])
    check(plain)
    if plain["validate_only"]:
        raise ConfigError(["validate_only: the command shows the plan of a run; leave it out here"])
    plain = with_absolute_paths(plain) | {"run_dir": directory(plain, getattr(config, "has_own_directory", True))}
    try:
        find_sources(plain)
    except OSError as error:
        raise as_config_error(error) from error
    if problems := list(name_problems(plain["name"])) or list(folder_problems(Path(plain["run_dir"]))):
        raise ConfigError(problems)
    return plain


def directory(config: dict[str, Any], is_named: bool) -> str:
    """The directory of this run. Where it is in use and the caller has not named it, one with a number.

    Raises ConfigError where a directory that the caller has named is in use.
    """
    if not leads():
        return os.environ.get(RUN_DIR, config["run_dir"])
    place = Path(config["run_dir"])
    if not config["resume"]:
        place = place if is_named else unused(place)
        resumes(False, place)
    os.environ[RUN_DIR] = str(place)
    return str(place)


def unused(place: Path) -> Path:
    """The first of PLACE, PLACE-2, PLACE-3, ... that holds no run."""
    numbered = (place.with_name(f"{place.name}-{number}") for number in count(2))
    return next(each for each in chain([place], numbered) if not (each / "config.yaml").exists())


def as_config_error(error: Exception) -> ConfigError:
    return error if isinstance(error, ConfigError) else ConfigError(str(error).splitlines())
