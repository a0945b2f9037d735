"""The config node that builds a given model again, from the arguments that the model was made with."""

import inspect
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial, wraps
from typing import Any

from torch import nn

from .. import models

Arguments = dict[str, Any]


@contextmanager
def recorded() -> Iterator[dict[nn.Module, Arguments]]:
    """A context that keeps the arguments with which each model of `variformer.models` is made.

    It replaces their constructors meanwhile, so that the models themselves need no code for it.
    """
    made: dict[nn.Module, Arguments] = {}
    kinds: list[Any] = [kind for kind in subclasses(nn.Module) if kind.__module__.startswith(f"{models.__name__}.")]
    constructors = {kind: kind.__init__ for kind in kinds if "__init__" in vars(kind)}
    try:
        for kind, constructor in constructors.items():
            kind.__init__ = recording(constructor, made)
        yield made
    finally:
        for kind, constructor in constructors.items():
            kind.__init__ = constructor


def subclasses(kind: type) -> Iterator[type]:
    each: type
    for each in kind.__subclasses__():
        yield each
        yield from subclasses(each)


def recording(constructor: Callable[..., None], made: dict[nn.Module, Arguments]) -> Callable[..., None]:
    """The constructor, which first keeps its arguments in `made`."""
    names = inspect.signature(constructor)

    @wraps(constructor)
    def __init__(self: nn.Module, *args: Any, **kwargs: Any) -> None:
        arguments = names.bind(self, *args, **kwargs).arguments
        rest = [name for name, each in names.parameters.items() if each.kind is inspect.Parameter.VAR_KEYWORD]
        others = {key: value for name in rest for key, value in arguments.pop(name, {}).items()}
        arguments.pop("self")
        made.setdefault(self, {**arguments, **others})  # a base class's constructor comes second
        constructor(self, *args, **kwargs)

    return __init__


def node_of(value: Any, made: dict[nn.Module, Arguments]) -> Any:
    """A model, a part or a plain value, written as a config. Raises KeyError for a module that was not recorded."""
    if isinstance(value, nn.Module):
        return {"_target_": name_of(type(value)), **nodes_of(made[value], made)}
    if isinstance(value, partial):
        return {"_target_": name_of(value.func), "_partial_": True, **nodes_of(value.keywords, made)}
    if isinstance(value, type):
        return {"_target_": name_of(value), "_partial_": True}
    return [node_of(each, made) for each in value] if isinstance(value, list | tuple) else value


def nodes_of(arguments: Arguments, made: dict[nn.Module, Arguments]) -> Arguments:
    """Arguments, each written as a config."""
    return {name: node_of(each, made) for name, each in arguments.items()}


def name_of(part: Any) -> str:
    """The name of a class in the package closest to the top that offers it, but not the top package itself."""
    parents = part.__module__.split(".")
    packages = (".".join(parents[:end]) for end in range(2, len(parents) + 1))
    place = next(name for name in packages if getattr(sys.modules[name], part.__name__, None) is part)
    return f"{place}.{part.__name__}"
