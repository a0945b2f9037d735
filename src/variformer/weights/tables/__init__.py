"""One file for each of their model types: a file here that makes a `Family` is all that a new one needs."""

from collections.abc import Iterator
from importlib import import_module
from pkgutil import iter_modules

from ..table import Family


def families() -> Iterator[Family]:
    """Those of all files here, the oldest first."""
    modules = [import_module(f"{__name__}.{each.name}") for each in iter_modules(__path__)]
    found = [value for module in modules for value in vars(module).values() if isinstance(value, Family)]
    yield from sorted(found, key=lambda each: (each.year, each.model_type))


# By `model_type` in config.json. Of several that have the parts of a model, the oldest is taken.
FAMILIES: dict[str, Family] = {family.model_type: family for family in families()}

__all__ = ["FAMILIES"]
