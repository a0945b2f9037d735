"""`model=source`: the model of an earlier run or of a Hugging Face folder, with changes on top."""

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..errors import ConfigError
from ..tree import Config
from .saved_configs import saved_config

if TYPE_CHECKING:
    from omegaconf import DictConfig

SOURCE = "source"  # the option of conf/model, and its key that refers to init_from
OF_THE_DATA = ("image_size", "channels", "classes")  # sizes of a model of images, which follow the run's own data
Describe = Callable[[str], Mapping[str, Any]]  # a run directory, a folder or a name on the hub -> its config


def config_of_run(source: str) -> dict[str, Any]:
    """The config of an earlier run. Raises FileNotFoundError where `source` is no run directory."""
    from omegaconf import OmegaConf

    config: Any = OmegaConf.to_container(saved_config(Path(source).expanduser()))
    return config


def add_source(config: "DictConfig", describe: Describe, given: Sequence[str] = ()) -> None:
    """Put the model of `init_from` in the place of `model=source`; what else stands in `model` changes it.

    `given` are the keys of the command line. A `length` that is not among them is at most the source's.
    Raises ConfigError where there is no init_from, and FileNotFoundError where there is no such model.
    """
    from omegaconf import OmegaConf, open_dict

    model = config.get("model")
    if not OmegaConf.is_dict(model) or SOURCE not in model:
        return
    if OmegaConf.is_missing(config, "init_from") or not config.init_from:
        what = "a run directory, a Hugging Face folder or a name on its hub"
        raise ConfigError([f"init_from: needs a value, {what}, because of model=source"])
    try:
        source = describe(str(config.init_from))
    except FileNotFoundError as error:
        raise FileNotFoundError(f"init_from={config.init_from}: {error}") from None
    except ValueError as error:
        raise ConfigError([f"init_from={config.init_from}: {error}"]) from error
    changes = changes_of(model, given)
    own: Config = {name: f"${{data.{name}}}" for name in OF_THE_DATA if name in source["model"] and name in config.data}
    with open_dict(config):
        config.model = changed(source["model"], own | changes)
        length = source["model"].get("max_length") or source.get("length")
        if "length" not in given and None not in (config.length, length):
            config.length = min(config.length, length)


def changes_of(model: "DictConfig", given: Sequence[str]) -> Config:
    """What stands in `model` beside the reference to the source.

    Where that is typed, it is what is typed with it: the experiment's file then speaks of another model.
    """
    from omegaconf import OmegaConf

    values: Any = OmegaConf.to_container(model, resolve=False)
    left_out = (SOURCE, "kept", *(values.get("kept") or ()))
    names = names_in_model(given) if "model" in given else values
    return {name: value for name, value in values.items() if name in names and name not in left_out}


def names_in_model(keys: Sequence[str]) -> list[str]:
    """model.width, model.positions.base, model/norm -> width, positions, norm. Raises ConfigError for model/size."""
    if "model/size" in keys:
        raise ConfigError(["model/size: model=source has the sizes of init_from; leave it out"])
    return [re.split(r"[./]", key)[1] for key in keys if key.startswith(("model.", "model/"))]


def changed(values: Config, changes: Config) -> dict[str, Any]:
    """Nested values with changes. A part of another class takes the place of the part as a whole."""
    merged = dict(values)
    for name, value in changes.items():
        before = values.get(name)
        if isinstance(before, dict) and isinstance(value, dict) and "_target_" not in value:
            value = changed(before, value)
        merged[name] = value
    return merged


def takes_source(arguments: Sequence[str], folders: Sequence[Path]) -> bool:
    """Whether a command line chooses model=source, itself or by the file of its experiment."""
    values = dict(argument.split("=", 1) for argument in arguments if "=" in argument)
    chosen = values.get("model") or next(reversed([*models_of(values.get("experiment"), folders)]), None)
    return chosen == SOURCE


def models_of(experiment: str | None, folders: Sequence[Path]) -> Iterator[str]:
    """What the file of an experiment, and those that it builds on, choose as model; the last one counts."""
    import yaml

    file = next((path for each in folders if (path := each / "experiment" / f"{experiment}.yaml").is_file()), None)
    for entry in (yaml.safe_load(file.read_text(encoding="utf-8")) or {}).get("defaults", []) if file else []:
        if isinstance(entry, str) and entry.startswith("/experiment/"):
            yield from models_of(entry.removeprefix("/experiment/"), folders)
        elif isinstance(entry, dict):
            yield from (str(entry[key]) for key in entry if key.removeprefix("override ") == "/model")


def set_or_add_argument(argument: str) -> str:
    """`model.width=8` -> `++model.width=8`: which arguments the model of init_from has is known later."""
    return f"++{argument}" if re.match(r"model(\.\w+)+=", argument) else argument
