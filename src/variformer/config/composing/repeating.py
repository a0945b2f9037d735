"""`repeat=RUN`: the config of a run that was, for one that does the same again."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from ..checking.check import ConfigError
from ..checking.consistency import leaves
from .earlier import renewed
from .overrides import change, given
from .paths import anchored

OWN = ("run_dir", "sweep_dir", "resume", "repeat", "repeat_anyway")  # what every run says for itself


def repeated(config: Any) -> Any:
    """The config in the record of the run that `config.repeat` names, changed by what this command line sets."""
    from omegaconf import OmegaConf

    source = Path(config.repeat)
    saved = OmegaConf.create(config_of(source))
    for override in given():
        if override.key_or_group not in (*OWN, "allow"):
            change(saved, override, source)
    for name in OWN:
        saved[name] = config[name]
    return saved


def config_of(source: Path) -> dict[str, Any]:
    """In the keys of today. Raises FileNotFoundError or ConfigError where there is no such record."""
    path, record = record_of(source)
    if "config" not in record:
        raise ConfigError([f"repeat: {path} holds no config, because an earlier version of the code wrote it"])
    if "${" in json.dumps(record["config"]):  # ${oc.env:TOKEN}, in a record that somebody sent
        raise ConfigError([f"repeat: {path} has an interpolation (${{...}}), where a run's config has plain values"])
    refuse_permission(record["config"], path)
    return renewed(record["config"], path)


def refuse_permission(saved: Any, source: Path) -> None:
    """Raises ConfigError where the config of a run, which somebody else may have written, would allow packages."""
    if "allow" in saved:
        raise ConfigError([f"{source}: has `allow`, which no config of a run may say; remove it"])


def record_of(source: Path) -> tuple[Path, dict[str, Any]]:
    """`source` is a run directory, or a run.json that was kept of one."""
    path = source / "run.json" if source.is_dir() else source
    if not path.is_file():
        raise FileNotFoundError(f"repeat={source} is not a run: there is no {path}")
    try:
        return path, json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise ConfigError([f"repeat: {path} is not the record of a run ({error})"]) from error


def changed_values(then: dict[str, Any], now: dict[str, Any]) -> Iterator[str]:
    """A line for each value that differs between two configs, but for what every run says for itself.

    Paths are compared as absolute ones: records of earlier versions hold relative paths.
    """
    before, after = ({key: value for key, _, value in leaves(anchored(config))} for config in (then, now))
    for key in before | after:
        if key not in OWN and before.get(key) != after.get(key):
            yield f"{key}: {before.get(key)} then, {after.get(key)} now"


def name_of(source: str | None, name: str) -> str:
    """What the repeated run was called, so that both lie in the same folder; `name` where none is repeated."""
    if not source:
        return name
    try:
        return record_of(Path(source))[1].get("name", name)
    except (ConfigError, OSError):  # told when the config is composed
        return name
