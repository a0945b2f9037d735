"""The `tuning` section of a run: adapters and frozen parameters of its model."""

from collections.abc import Collection, Iterable
from typing import Any

from torch import nn

from ..config import ConfigError, instantiate
from ..config.schema import TuningSettings
from ..layers import LowRank
from ..training.tuning import freeze
from ..weights.transfer import belongs


def tune(model: nn.Module, tuning: TuningSettings, new: Collection[str]) -> None:
    """Add the adapters to a model and freeze what the settings name.

    `new` are the parameters, or parts of the model, that have no pre-trained values. Raises ConfigError.
    """
    untaught = names_of(model, new)
    adapters: LowRank | None = instantiate(tuning.adapters, "tuning.adapters")
    try:
        if adapters is not None:
            adapters.adapt(model)
    except ValueError as error:
        raise ConfigError([f"tuning.adapters.{error}"]) from error
    try:
        freeze(model, tuning.frozen, tuning.trained, untaught)
    except ValueError as error:
        raise ConfigError([str(error)]) from error


def names_of(model: nn.Module, parts: Iterable[str]) -> list[str]:
    """The parameters that are, or belong to, one of these parts."""
    parts = list(parts)
    return [name for name, _ in model.named_parameters() if name in parts or belongs(name, parts)]


def untaught_parts(model: nn.Module, facts: dict[str, Any], resumes: bool) -> list[str]:
    """What of a model has no pre-trained values: nothing on resume, and all of it without `init_from`."""
    if resumes:
        return []
    started = facts.get("init_from")
    return [name for name, _ in model.named_parameters()] if started is None else started["new"]
