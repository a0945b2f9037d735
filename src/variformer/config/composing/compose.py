"""From what Hydra composed to a plain, resolved and checked config; on resume, from what the run itself was given."""

import os
import shutil
from dataclasses import MISSING, fields, is_dataclass
from pathlib import Path
from typing import Any

from ...command import shown
from ..checking.check import ConfigError, check
from ..checking.consistency import leaves
from ..checking.fitting import config_folders, misfits
from ..classes.allowing import allow
from ..explaining.comments import overview
from ..launch import leads, stamp
from ..schema import Experiment, TrainerSettings
from .earlier import renewed
from .overrides import change, given
from .paths import anchored
from .repeating import name_of, refuse_permission, repeated
from .resuming import goes_on, has_checkpoints, is_done, require_steps_ahead, started_with

USAGE = """Train one experiment: {command} experiment=NAME GROUP=OPTION GROUP/GROUP=OPTION KEY=VALUE ...

validate_only=true shows the plan of a run, `--cfg job` its whole config, `-m` starts a sweep, and `--hydra-help` says
what else Hydra takes."""
HYDRAS_OWN = {".hydra", ".hydra_resumed", "train.log"}
ALWAYS_NEW = ("allow", "run_dir", "resume", "repeat")  # what a resumed run's command line says about itself


def register_resolvers() -> None:
    """`${stamp:}`: what sets a run's directory apart, drawn once per process.
    `${hydra_folder:RUN_DIR}`: where Hydra keeps its own record; a resumed run does not overwrite the first one, and in
    the directory of a run that is done nothing is written before it is known whether there is more to train.
    `${name_of:REPEAT,NAME}`: what the run is called, or the one that it repeats.
    `${overview:}`: what `--help` says.
    `${hydra_log:FILE}`: where Hydra logs to. Of several processes, only rank zero keeps records and a log file.
    """
    from omegaconf import OmegaConf

    def help_template() -> str:
        usage = USAGE.format(command=" ".join(shown("train")))
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


def compose(config: Any) -> dict[str, Any]:
    """A DictConfig from Hydra -> the run's config, with absolute paths.

    Raises ConfigError or FileNotFoundError that say what to mend.
    """
    from omegaconf import OmegaConf
    from omegaconf.errors import OmegaConfBaseException

    complete(config)
    allow_packages(config)
    share_directory(config)
    if config.resume is True and not any(override.key_or_group == "run_dir" for override in given()):
        raise ConfigError(["resume: needs run_dir=, the directory of the run to continue"])
    if goes_on(config.resume, Path(config.run_dir)):
        config = resumed(Path(config.run_dir), only_if_any=config.resume is not True)
        require_steps_ahead(Path(config.run_dir), config.get("max_steps"))
    else:
        config.resume = False
        config = repeated(config) if config.get("repeat") else config
    try:
        plain = OmegaConf.to_container(config, resolve=True)
    except OmegaConfBaseException as error:
        unresolved: Any = OmegaConf.to_container(config, resolve=False)
        reason = str(error).partition("\n")[0]
        unfit = list(misfits(unresolved))  # data of another kind lacks the values that a model refers to
        missing = [f"{key}: needs a value (it is ???)" for key, _, value in leaves(unresolved) if value == "???"]
        raise ConfigError(unfit or missing or [f"{getattr(error, 'full_key', None) or 'config'}: {reason}"]) from error
    assert isinstance(plain, dict)
    check(plain)  # type: ignore[arg-type]
    if plain["objective"] is None:
        raise ConfigError(["objective: a run that trains needs one; conf/objective/ holds those there are"])
    return anchored(plain)  # type: ignore[arg-type]


def allow_packages(config: Any) -> None:
    """Take `allow` out of what a command line and the user's own files have composed, and do it.

    Raises ConfigError for what cannot be allowed.
    """
    from omegaconf import OmegaConf, open_dict

    with open_dict(config):
        names = config.pop("allow", None)
    if problems := allow(OmegaConf.to_container(names) if OmegaConf.is_config(names) else names, config_folders()):
        raise ConfigError(problems)


def complete(config: Any) -> None:
    """Give what a command line has deleted (`~logger`) its default value."""
    from omegaconf import OmegaConf, open_dict

    for section, defaults in ((config, Experiment), (config.get("trainer"), TrainerSettings)):
        if OmegaConf.is_dict(section):
            with open_dict(section):
                for name, value in default_values(defaults).items():
                    if name not in section:
                        section[name] = value


def default_values(kind: Any) -> dict[str, Any]:
    """Of the fields of a dataclass that have one."""
    values = {each.name: each.default for each in fields(kind) if each.default is not MISSING}
    made = {each.name: each.default_factory() for each in fields(kind) if each.default_factory is not MISSING}
    return values | {name: dict(vars(value)) if is_dataclass(value) else value for name, value in made.items()}


def share_directory(config: Any) -> None:
    """Let `run_dir` be the folder that Hydra uses: Lightning hands that of rank zero to the ranks that it starts."""
    from hydra.core.hydra_config import HydraConfig

    if HydraConfig.initialized() and not leads():
        config.run_dir = HydraConfig.get().run.dir


def discard(run_dir: Path) -> None:
    """Remove the folder that Hydra made for a run which never began: it holds nothing but Hydra's own notes."""
    if leads() and run_dir.is_dir() and not contents(run_dir):
        shutil.rmtree(run_dir)
        if not any(run_dir.parent.iterdir()):
            run_dir.parent.rmdir()


def resumed(run_dir: Path, only_if_any: bool = False) -> Any:
    """The config that the run was started with, changed by what this command line sets.

    With `only_if_any` the command may be the one that began the run, which starts over where it has no checkpoint yet.
    """
    saved, known = load(run_dir), started_with(run_dir) if only_if_any else []
    for override in given():
        if override.key_or_group not in ALWAYS_NEW and override.input_line not in known:
            change(saved, override, run_dir)
    saved.resume, saved.run_dir = not only_if_any or has_checkpoints(run_dir), str(run_dir)
    return saved


def contents(folder: Path) -> list[str]:
    return [path.name for path in folder.iterdir() if path.name not in HYDRAS_OWN]


def load(run_dir: Path) -> Any:
    """The config.yaml of a run, in the keys of today.

    Raises FileNotFoundError, saying what is there, where there is none. Raises ConfigError where it has
    interpolations: they could read this machine's environment.
    """
    from omegaconf import OmegaConf

    path = run_dir / "config.yaml"
    if not path.is_file():
        candidates = ((p, contents(p)) for p in (run_dir, *run_dir.resolve().parents) if p.is_dir())
        folder, names = next(((p, names) for p, names in candidates if names), (run_dir, ["nothing"]))
        there = ", ".join(sorted(name for name in names if name != run_dir.name)[:10]) or "nothing else"
        raise FileNotFoundError(f"run_dir={run_dir} is not a run: no config.yaml (in {folder} there is {there})")
    saved = read_yaml(path)
    if "${" in repr(OmegaConf.to_container(saved, resolve=False)):  # ${oc.env:TOKEN}, in a run that somebody sent
        raise ConfigError([f"{path}: has an interpolation (${{...}}), and a run's config holds plain values alone"])
    refuse_permission(saved, path)
    return renewed(saved, path)


def read_yaml(path: Path) -> Any:
    """Raises ConfigError, in one line, where the file is no yaml or holds no keys."""
    import yaml
    from omegaconf import OmegaConf

    try:
        saved = OmegaConf.load(path)
    except (yaml.YAMLError, ValueError) as error:
        raise ConfigError([f"{path} is damaged ({' '.join(str(error).split())}): copy it again"]) from None
    if not OmegaConf.is_dict(saved):
        raise ConfigError([f"{path} holds no keys, as the config of a run does: copy it again"])
    return saved
