"""What a command line changes of a config that was saved with an earlier run."""

from pathlib import Path
from typing import Any

from .check import ConfigError
from .nearest import hint


def given() -> list[Any]:
    """The overrides of this command line, as Hydra parses them."""
    from hydra.core.hydra_config import HydraConfig
    from hydra.core.override_parser.overrides_parser import OverridesParser

    return OverridesParser.create().parse_overrides(list(HydraConfig.get().overrides.task))


def change(saved: Any, override: Any, source: Path) -> None:
    """Set one value of the config that `source` holds. Raises ConfigError where it has no such value: groups are not
    chosen again.
    """
    from omegaconf import OmegaConf

    key = override.key_or_group
    before = OmegaConf.select(saved, key, default=OmegaConf)
    if before is OmegaConf or OmegaConf.is_dict(before):
        known = [str(name) for name in saved]
        raise ConfigError([f"{key}: not a value of the run in {source}{hint(key, known)}"])
    OmegaConf.update(saved, key, override.value())
