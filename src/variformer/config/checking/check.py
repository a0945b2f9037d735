"""Find every mistake in a config before anything is imported, opened or built.

A dict with `_target_` is bound to that target's signature, and a dict where a dataclass is expected to the dataclass.
Each value is then compared with its annotation.
"""

import math
from collections.abc import Collection, Iterator

from ..classes.annotations import dataclass_of, misfit
from ..classes.signatures import REQUIRED, Parameter, Signature, signature
from ..classes.targets import find, misplaced
from ..errors import ConfigError, did_you_mean
from ..tree import Config, Node, Value, join
from .compatibility import misfits
from .consistency import inconsistencies
from .defaults import experiment, needs_folder, with_defaults

# Hydra's other keys are not needed, and `_args_` would escape the check.
UNDERSTOOD = ("_target_", "_partial_")


def check(config: Config) -> None:
    """`config` is plain and resolved: `OmegaConf.to_container(config, resolve=True)`.

    Raises ConfigError that lists all problems, each with its full key and a cure. Where the model, the objective and
    the data do not fit each other, it lists only that, since other problems may follow from it.
    """
    if not isinstance(config, dict):
        raise TypeError(f"check() takes a plain dict (OmegaConf.to_container), not {type(config).__name__}")
    known = experiment()
    complete = with_defaults(config, known)
    problems = list(misfits(complete)) or [*bound(config, "", known), *inconsistencies(complete)]
    if problems:
        raise ConfigError(problems)


def bound(values: Config, key: str, known: Signature, target: str = "", given: Collection[str] = ()) -> Iterator[str]:
    """Problems of `values` as arguments of `target` or keys of a section. Code gives the arguments in `given`."""
    for name, value in values.items():
        if name in known.parameters:
            yield from fits(value, join(key, name), known.parameters[name])
            continue
        if not known.is_open:
            what = f"unknown argument of {target}" if target else "unknown key"
            yield f"{join(key, name)}: {what}{did_you_mean(str(name), known.parameters)}"
        yield from inside(value, join(key, name))
    for name, parameter in known.parameters.items():
        if parameter.default is REQUIRED and name not in values and name not in given:
            late = " (or `_partial_: true` if it comes later)" if target else ""
            yield f"{join(key, name)}: missing, {target or 'a run'} needs it{late}"


def fits(value: Value, key: str, parameter: Parameter) -> Iterator[str]:
    section = dataclass_of(parameter)
    if section is not None and isinstance(value, dict) and "_target_" not in value:
        yield from bound(value, key, signature(section))
        return
    within = list(inside(value, key))
    yield from within
    if not within:
        yield from misfit(value, key, parameter)


def inside(value: Value, key: str) -> Iterator[str]:
    """Problems at any depth of a value that no signature is needed for, and the problems of every node in it."""
    if value == "???":
        yield f"{key}: needs a value (it is ???)"
    elif isinstance(value, str) and "${" in value:
        yield f"{key}: `{value}` is an interpolation that was not resolved"  # Hydra would, unchecked
    elif isinstance(value, float) and not math.isfinite(value):
        yield f"{key}: {value} is not a finite number"
    elif isinstance(value, list | tuple):
        for index, each in enumerate(value):
            yield from inside(each, f"{key}[{index}]")
    elif isinstance(value, dict) and "_target_" in value:
        yield from node_problems(value, key)
    elif isinstance(value, dict):
        for name, each in value.items():
            if str(name).startswith("_"):
                yield f"{join(key, name)}: means nothing without a `_target_` beside it"
            yield from inside(each, join(key, name))


def node_problems(node: Node, key: str, given: Collection[str] = ()) -> Iterator[str]:
    """Problems of a dict with `_target_`. Code gives the arguments in `given`."""
    target, partial = node["_target_"], node.get("_partial_", False)
    if not isinstance(partial, bool):
        yield f"{join(key, '_partial_')}: {partial!r} is not true or false"
    for name in node:
        if str(name).startswith("_") and name not in UNDERSTOOD:
            yield f"{join(key, name)}: is not allowed; {' and '.join(UNDERSTOOD)} are"
    arguments = {name: value for name, value in node.items() if not str(name).startswith("_")}
    try:
        known = signature(find(target))
    except LookupError as error:
        yield f"{join(key, '_target_')}: {error}"
        yield from inside(arguments, key)
        return
    if problem := misplaced(str(target), key):
        yield f"{join(key, '_target_')}: {problem}"
    given = [*given, "save_dir"] if key.startswith("logger.") and needs_folder(node) else given
    yield from bound(arguments, key, known, str(target), given=given if partial is False else known.parameters)
