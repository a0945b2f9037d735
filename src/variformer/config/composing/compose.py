"""From what Hydra composed to a plain, resolved and checked config: that of a run, or that of an evaluation."""

import os
from dataclasses import MISSING, fields, is_dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ...command import typed_command
from ...processes import leads, stamp
from ..checking.check import bound, check
from ..checking.compatibility import misfits
from ..checking.defaults import section
from ..classes.allowed_packages import allow
from ..errors import ConfigError
from ..explaining.overview import overview
from ..folders import config_folders
from ..schema import Experiment, TrainerSettings, TuningSettings
from ..tree import Config, leaves
from .absolute_paths import with_absolute_paths
from .earlier_runs import is_done, name_of, repeated, require_steps_ahead, resumed, resumes
from .overrides import given_keys, given_overrides
from .saved_configs import saved_config
from .sources import Describe, add_source, config_of_run

if TYPE_CHECKING:
    from omegaconf import DictConfig

USAGE = """Train one experiment: {command} experiment=NAME GROUP=OPTION GROUP/GROUP=OPTION KEY=VALUE ...

validate_only=true shows the plan of a run, `--cfg job` all of its config, `-m` starts a sweep, and `--hydra-help` says
what else Hydra takes."""


def register_resolvers() -> None:
    """Define what conf/ writes as `${name:...}`.

    `${stamp:}`: what makes the name of a run's directory unique, the same for all of a process.
    `${hydra_folder:RUN_DIR}`: where Hydra keeps its own record. A resumed run does not overwrite the first record.
        Nothing is written into the directory of a finished run before it is known whether there is more to train.
    `${name_of:REPEAT,NAME}`: the name of the run, or of the run that it repeats.
    `${overview:}`: the text of `--help`.
    `${hydra_log:FILE}`: where Hydra logs to. Of several processes, only rank zero keeps records and a log file.
    """
    from omegaconf import OmegaConf

    def help_template() -> str:
        usage = USAGE.format(command=" ".join(typed_command("train")))
        return f"{usage}\n\n{overview()}\n".replace("$", "$$")

    def hydra_folder(run_dir: str) -> str | None:
        if not leads() or is_done(Path(run_dir)):
            return None
        return ".hydra_resumed" if Path(run_dir, "config.yaml").is_file() else ".hydra"

    def hydra_log(file: str) -> str:
        return file if leads() else os.devnull

    OmegaConf.register_new_resolver("stamp", stamp, use_cache=True, replace=True)
    OmegaConf.register_new_resolver("hydra_folder", hydra_folder, replace=True)
    OmegaConf.register_new_resolver("name_of", name_of, replace=True)
    OmegaConf.register_new_resolver("hydra_log", hydra_log, replace=True)
    OmegaConf.register_new_resolver("overview", help_template, replace=True)


def compose(config: "DictConfig", describe: Describe = config_of_run) -> dict[str, Any]:
    """The config of a run, with absolute paths, from what Hydra composed of conf/train.yaml.

    `describe` finds the config of an earlier model, for model=source.
    Raises ConfigError or FileNotFoundError, which say what to change.
    """
    add_deleted_defaults(config)
    allow_packages(config)
    share_directory(config)
    if config.resume is True and not any(override.key_or_group == "run_dir" for override in given_overrides()):
        raise ConfigError(["resume: needs run_dir=, the directory of the run to continue"])
    if resumes(config.resume, Path(config.run_dir)):
        config = resumed(Path(config.run_dir), only_if_any=config.resume is not True)
        require_steps_ahead(Path(config.run_dir), config.get("max_steps"))
    else:
        config.resume = False
        config = repeated(config) if config.get("repeat") else config
        add_source(config, describe, given_keys())
    plain = resolved(config)
    check(plain)
    if plain["objective"] is None:
        raise ConfigError(["objective: a run that trains needs one; `variformer help objective` lists them"])
    return with_absolute_paths(plain)


def evaluation(chosen: "DictConfig") -> dict[str, Any]:
    """The arguments of `evaluate_run`, from what Hydra composed of conf/evaluate.yaml.

    Raises ConfigError or FileNotFoundError, with one line for each problem.
    """
    plain = plain_config(chosen)
    if plain.get("run_dir") in (None, "???"):
        raise ConfigError(["run_dir: needs a value, the directory of a run: variformer evaluate run_dir=RUN"])
    known = section("Evaluation")
    if problems := list(bound(plain, "", known)):
        raise ConfigError(problems)
    if problems := allow(plain.pop("allow", None), config_folders()):
        raise ConfigError(problems)
    saved_config(Path(str(plain["run_dir"])))
    return with_absolute_paths(plain, known)


def resolved(config: "DictConfig") -> Config:
    """The config as plain values. Raises ConfigError for an interpolation without a value, or names its cause."""
    from omegaconf.errors import OmegaConfBaseException

    try:
        return plain_config(config)
    except OmegaConfBaseException as error:
        unresolved = plain_config(config, resolve=False)
        reason = str(error).partition("\n")[0]
        unfit = list(misfits(unresolved))  # data of another kind lacks the values that a model refers to
        missing = [f"{key}: needs a value (it is ???)" for key, _, value in leaves(unresolved) if value == "???"]
        raise ConfigError(unfit or missing or [f"{getattr(error, 'full_key', None) or 'config'}: {reason}"]) from error


def plain_config(config: "DictConfig", resolve: bool = True) -> Config:
    """As dicts and lists; without `resolve`, interpolations stay as they are written."""
    from omegaconf import OmegaConf

    plain: Any = OmegaConf.to_container(config, resolve=resolve)
    return plain


def allow_packages(config: "DictConfig") -> None:
    """Take `allow` out of a config that a command line and the user's own files compose to, and allow its packages.

    Raises ConfigError for a package that cannot be allowed.
    """
    from omegaconf import OmegaConf, open_dict

    with open_dict(config):
        names = config.pop("allow", None)
    if problems := allow(OmegaConf.to_container(names) if OmegaConf.is_config(names) else names, config_folders()):
        raise ConfigError(problems)


def add_deleted_defaults(config: "DictConfig") -> None:
    """Give what a command line has deleted (`~logger`) its default value."""
    from omegaconf import OmegaConf, open_dict

    sections = ((config.get("trainer"), TrainerSettings), (config.get("tuning"), TuningSettings))
    for keys, defaults in ((config, Experiment), *sections):
        if OmegaConf.is_dict(keys):
            with open_dict(keys):
                for name, value in default_values(defaults).items():
                    if name not in keys:
                        keys[name] = value


def default_values(kind: type[Experiment] | type[TrainerSettings] | type[TuningSettings]) -> dict[str, Any]:
    """The values of the fields of a dataclass that have a default."""
    values = {each.name: each.default for each in fields(kind) if each.default is not MISSING}
    made = {each.name: each.default_factory() for each in fields(kind) if each.default_factory is not MISSING}
    return values | {name: dict(vars(value)) if is_dataclass(value) else value for name, value in made.items()}


def share_directory(config: "DictConfig") -> None:
    """Set `run_dir` to the folder that Hydra uses. Lightning gives the ranks that it starts that of rank zero."""
    from hydra.core.hydra_config import HydraConfig

    if HydraConfig.initialized() and not leads():
        config.run_dir = HydraConfig.get().run.dir
