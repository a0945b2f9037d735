"""Find every mistake in a config before anything is imported, opened or built.

One mechanism: a dict with `_target_` is bound to that target's signature, a dict where a dataclass is
expected to the dataclass, and each value is compared with its annotation.
"""

import math
from collections.abc import Collection, Iterator
from typing import Any

from ..classes.nearest import hint
from ..classes.signatures import COMPUTED, REQUIRED, Parameter, Signature, signature
from ..classes.targets import find, misplaced, resolve
from ..classes.values import dataclass_of, misfit
from .consistency import inconsistencies
from .fitting import misfits

# Hydra's other keys are not needed, and `_args_` would escape the check.
UNDERSTOOD = ("_target_", "_partial_")


class ConfigError(ValueError):
    """All that is wrong with a config, one problem a line."""

    def __init__(self, problems: Collection[str]):
        super().__init__("\n".join(problems))
        self.problems = list(problems)


def check(config: dict[str, Any]) -> None:
    """`config` is plain and resolved: `OmegaConf.to_container(config, resolve=True)`.

    Raises ConfigError that lists all problems, each with its full key and what to do about it; where whole parts do not
    fit each other, those alone, since other problems may follow from them.
    """
    if not isinstance(config, dict):
        raise TypeError(f"check() takes a plain dict (OmegaConf.to_container), not {type(config).__name__}")
    known = experiment()
    complete = with_defaults(config, known)
    problems = list(misfits(complete)) or [*bound(config, "", known), *inconsistencies(complete)]
    if problems:
        raise ConfigError(problems)


def experiment() -> Signature:
    return section("Experiment")


def section(name: str) -> Signature:
    """The keys of a dataclass of schema.py."""
    definition = resolve("variformer.config.schema", name)
    assert definition is not None
    return signature(definition)


def bound(
    values: dict[str, Any], key: str, known: Signature, target: str = "", given: Collection[str] = ()
) -> Iterator[str]:
    """Problems of `values` as arguments of `target` or keys of a section; those in `given` come from code."""
    for name, value in values.items():
        if name in known.parameters:
            yield from fits(value, join(key, name), known.parameters[name])
            continue
        if not known.is_open:
            what = f"unknown argument of {target}" if target else "unknown key"
            yield f"{join(key, name)}: {what}{hint(str(name), known.parameters)}"
        yield from inside(value, join(key, name))
    for name, parameter in known.parameters.items():
        if parameter.default is REQUIRED and name not in values and name not in given:
            late = " (or `_partial_: true` if it comes later)" if target else ""
            yield f"{join(key, name)}: missing, {target or 'a run'} needs it{late}"


def fits(value: Any, key: str, parameter: Parameter) -> Iterator[str]:
    section = dataclass_of(parameter)
    if section is not None and isinstance(value, dict) and "_target_" not in value:
        yield from bound(value, key, signature(section))
        return
    within = list(inside(value, key))
    yield from within
    if not within:
        yield from misfit(value, key, parameter)


def inside(value: Any, key: str) -> Iterator[str]:
    """Problems at any depth of a value that need no signature to be seen, and those of every node in it."""
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


def node_problems(node: dict[str, Any], key: str, given: Collection[str] = ()) -> Iterator[str]:
    """Problems of a dict with `_target_`; arguments in `given` come from code."""
    target = node["_target_"]
    if not isinstance(node.get("_partial_", False), bool):
        yield f"{join(key, '_partial_')}: {node['_partial_']!r} is not true or false"
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
    if problem := misplaced(target, key):
        yield f"{join(key, '_target_')}: {problem}"
    waits = node.get("_partial_", False) is not False
    given = [*given, "save_dir"] if key.startswith("logger.") and needs_folder(node) else given
    yield from bound(arguments, key, known, target, given=known.parameters if waits else given)


def needs_folder(logger: dict[str, Any]) -> bool:
    """Whether a logger takes a folder to write to and the config gives none: it is then the run's own."""
    return "save_dir" not in logger and "save_dir" in signature_of(logger).parameters


def with_defaults(value: Any, known: Signature | None = None) -> Any:
    """The same config with the literal defaults of whatever its nodes and sections leave out."""
    if isinstance(value, list):
        return [with_defaults(each) for each in value]
    if not isinstance(value, dict):
        return value
    known = known or signature_of(value)
    complete = {n: p.default for n, p in known.parameters.items() if p.default not in (REQUIRED, COMPUTED)}
    sections = {n: found for n, p in known.parameters.items() if (found := dataclass_of(p))}
    given: dict[str, Any] = {name: {} for name in sections} | value
    for name, each in given.items():
        complete[name] = with_defaults(each, signature(sections[name]) if name in sections else None)
    return complete


def signature_of(value: dict[str, Any]) -> Signature:
    """Of a node's target; of a dict that is no node, or whose target does not exist, one that takes nothing."""
    try:
        return signature(find(value["_target_"]))
    except LookupError:
        return Signature()


def join(key: str, name: object) -> str:
    return f"{key}.{name}" if key else str(name)
