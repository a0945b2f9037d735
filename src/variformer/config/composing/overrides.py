"""What a command line changes of a config that was saved with an earlier run."""

from pathlib import Path
from typing import Any

from ..checking.check import ConfigError
from ..classes.nearest import hint


def given() -> list[Any]:
    """The overrides of this command line, as Hydra parses them."""
    from hydra.core.hydra_config import HydraConfig
    from hydra.core.override_parser.overrides_parser import OverridesParser

    return OverridesParser.create().parse_overrides(typed(HydraConfig.get().overrides.task))


def typed(overrides: Any) -> list[str]:
    """A list of overrides that Hydra has kept, with `${...}` as it was written."""
    from omegaconf import OmegaConf

    plain: Any = OmegaConf.to_container(overrides, resolve=False)
    return [str(each) for each in plain]


def change(saved: Any, override: Any, source: Path) -> None:
    """Set one value of the config that `source` holds. Raises ConfigError where it has no such value: groups are not
    chosen again.
    """
    from omegaconf import OmegaConf

    key, value = override.key_or_group.replace("/", "."), override.value()
    before = OmegaConf.select(saved, key, default=OmegaConf)
    if OmegaConf.is_dict(before) and value is not None:
        values = ", ".join(f"{key}.{name}" for name in before if not str(name).startswith("_"))
        raise ConfigError([f"{key}: {source} has its own, and no group is chosen again; set its values ({values})"])
    if before is OmegaConf:
        path, _, last = key.rpartition(".")
        section = OmegaConf.select(saved, path) if path else saved
        known = [str(name) for name in section] if OmegaConf.is_dict(section) else []
        raise ConfigError([f"{key}: not a value of the run in {source}{hint(last, known)}"])
    OmegaConf.update(saved, key, value)
