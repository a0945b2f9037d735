"""Which keys an experiment has, and the values of those that a config leaves out."""

from typing import Any

from ..classes.annotations import dataclass_of
from ..classes.signatures import COMPUTED, REQUIRED, Signature, signature
from ..classes.targets import find, resolve
from ..tree import Config, Node, Value


def experiment() -> Signature:
    """The keys of a run's config."""
    return section("Experiment")


def section(name: str) -> Signature:
    """The keys of a dataclass of schema.py."""
    definition = resolve("variformer.config.schema", name)
    assert definition is not None
    return signature(definition)


def signature_of(value: Node) -> Signature:
    """What the target of a node takes. A dict that is no node, or whose target does not exist, takes nothing."""
    try:
        return signature(find(value["_target_"]))
    except LookupError:
        return Signature()


def needs_folder(logger: Node) -> bool:
    """Whether a logger takes a folder to write to and the config gives none: it then writes to the run directory."""
    return "save_dir" not in logger and "save_dir" in signature_of(logger).parameters


def with_defaults(config: Config, known: Signature | None = None) -> dict[str, Any]:
    """The same config or node, with the literal defaults of what its nodes and sections leave out.

    `known` are the keys of the config; of a node they follow from its target.
    """
    known = known or signature_of(config)
    complete = {n: p.default for n, p in known.parameters.items() if p.default not in (REQUIRED, COMPUTED)}
    sections = {n: found for n, p in known.parameters.items() if (found := dataclass_of(p))}
    given: Config = {**{name: {} for name in sections}, **config}
    for name, each in given.items():
        complete[name] = completed(each, signature(sections[name]) if name in sections else None)
    return complete


def completed(value: Value, known: Signature | None = None) -> Value:
    if isinstance(value, list):
        return [completed(each) for each in value]
    return with_defaults(value, known) if isinstance(value, dict) else value
