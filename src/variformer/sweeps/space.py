"""The values that a search proposes: from Hydra's grammar for sweeps to the distributions of Optuna.

`interval(0, 1)` is any number between the two, and `int(interval(1, 8))` any whole number. `tag(log, interval(1e-5,
1e-2))` is uniform in the logarithm. `range(0, 9, 3)` is 0, 3 or 6. `choice(a, b)` and `a,b` are one of the values.
"""

import math
from collections.abc import Iterable, Mapping
from decimal import Decimal
from typing import TypeAlias

from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import (
    ChoiceSweep,
    IntervalSweep,
    Override,
    ParsedElementType,
    RangeSweep,
    Transformer,
)
from hydra.errors import HydraException
from optuna.distributions import BaseDistribution, CategoricalDistribution, FloatDistribution, IntDistribution

from ..config import ConfigError
from ..config.tree import Value

Space: TypeAlias = dict[str, BaseDistribution]  # by key, as on the command line: optimizer.lr, model/positions, +a.b


def space_of(params: Mapping[str, Value], place: str = "hydra.sweeper.params") -> Space:
    """The space of keys and grammar, as a file in conf/sweep/ has them. Raises ConfigError that lists all problems."""
    parser, overrides, problems = OverridesParser.create(), [], []
    for key, grammar in params.items():
        if isinstance(grammar, Mapping):
            problems.append(f"{place}.{key}: holds keys; write each in full, such as {key}.{next(iter(grammar), 'lr')}")
            continue
        try:
            overrides.append(parser.parse_override(f"{key}={text(grammar)}"))
        except HydraException as error:
            problems.append(f"{place}.{key}: {grammar!r} is not Hydra's grammar for sweeps: {first_line(error)}")
    space = collected(overrides, problems, f"{place}.")
    if problems:
        raise ConfigError(problems)
    return space


def collected(overrides: Iterable[Override], problems: list[str], prefix: str = "") -> Space:
    """The space of the `overrides`. The problem of each override without a distribution is added to `problems`."""
    space: Space = {}
    for override in overrides:
        try:
            space[override.get_key_element()] = distribution(override)
        except (ValueError, HydraException) as error:
            problems.append(f"{prefix}{override.input_line}: {error}")
    return space


def distribution(override: Override) -> BaseDistribution:
    """The distribution of an override. A plain value is a choice of one. Raises ValueError that says what to change."""
    value = override.value()
    tags: set[str] = getattr(value, "tags", set())
    if tags - {"log"}:
        raise ValueError(f"the tag {min(tags - {'log'})} is unknown; the only tag is log")
    if isinstance(value, IntervalSweep):
        return interval(value, log="log" in tags)
    if isinstance(value, RangeSweep):
        return stepped(value, log="log" in tags)
    if tags:
        raise ValueError("only an interval or a range can be tagged log")
    if not override.is_sweep_override():
        assert not isinstance(value, ChoiceSweep)
        return CategoricalDistribution([category(value)])
    choices = [category(each) for each in override.sweep_iterator()]
    if not choices:
        raise ValueError("has no value to choose from; give at least one")
    return CategoricalDistribution(list(dict.fromkeys(choices)))


def interval(sweep: IntervalSweep, log: bool) -> BaseDistribution:
    low, high = sweep.start, sweep.end
    assert low is not None and high is not None
    if not (math.isfinite(low) and math.isfinite(high) and low < high):
        raise ValueError(f"the interval must go from a number to a larger one, not from {low} to {high}")
    if log and low <= 0:
        raise ValueError(f"an interval tagged log must begin above 0, not at {low}")
    if isinstance(low, int) and isinstance(high, int):
        return IntDistribution(low, high, log=log)
    return FloatDistribution(low, high, log=log)


def stepped(sweep: RangeSweep, log: bool) -> BaseDistribution:
    """The distribution of a range. As in Hydra, its end is not part of it."""
    first, stop, step = (Decimal(str(each)) for each in (sweep.start, sweep.stop, sweep.step))  # 8 * 0.1 is not 0.8
    count = math.ceil((stop - first) / step) if step else 0
    if count < 1:
        raise ValueError(f"the range from {first} to {stop} in steps of {step} is empty")
    low, high = sorted([first, first + (count - 1) * step])
    if log and (abs(step) != 1 or low < 1):
        raise ValueError("a range tagged log must begin above 0 and have steps of 1")
    if all(isinstance(each, int) for each in (sweep.start, sweep.stop, sweep.step)):
        return IntDistribution(int(low), int(high), step=int(abs(step)), log=log)
    return FloatDistribution(float(low), float(high), step=float(abs(step)))


def category(value: ParsedElementType) -> bool | int | float | str:
    """A number or a boolean as it is, so that they stay different; anything else as an override writes it."""
    return value if isinstance(value, bool | int | float) else Transformer.str(value)


def text(value: object) -> str:
    """A proposed value as the command line writes it."""
    if value is None or isinstance(value, bool):
        return "null" if value is None else str(value).lower()
    return repr(value) if isinstance(value, float) else str(value)


def first_line(error: Exception) -> str:
    return str(error).partition("\n")[0]
