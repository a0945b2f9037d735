"""A config as nested dicts and lists of plain values. A full key has dots: `optimizer.lr`."""

from collections.abc import Iterator, Mapping
from typing import Any, TypeAlias

Value: TypeAlias = "bool | int | float | str | list[Value] | dict[str, Value] | None"
Config: TypeAlias = dict[str, Value]
Node: TypeAlias = dict[str, Value]  # has `_target_`, the class that it is built of; the rest are its arguments


def join(key: str, name: object) -> str:
    """model, width -> model.width."""
    return f"{key}.{name}" if key else str(name)


def at(config: Value, key: str) -> Value:
    """The value at a full key; None where there is none."""
    value = config
    for name in key.split("."):
        value = value.get(name) if isinstance(value, dict) else None
    return value


def leaves(value: Value, key: str = "") -> Iterator[tuple[str, str, Any]]:
    """(full key, name, value) of every value that is not a dict."""
    for name, each in value.items() if isinstance(value, Mapping) else ():
        if isinstance(each, dict):
            yield from leaves(each, join(key, name))
        else:
            yield join(key, name), str(name), each


def merged(values: dict[str, Any], changes: Mapping[str, Any]) -> dict[str, Any]:
    """Nested values, in which those of `changes` replace the others."""
    nested = {name: values[name] for name in changes if isinstance(values.get(name), dict)}
    return values | {
        name: merged(nested[name], value) if name in nested and isinstance(value, dict) else value
        for name, value in changes.items()
    }
