"""What a class says of itself in its source, such as `kind = "encoder"`. The process of a sweep imports no torch."""

import ast
from typing import Any

from ..tree import Node, Value
from .signatures import bases
from .targets import Definition, find


def declared(node: Value, name: str) -> Any:
    """The literal that the class of a node assigns to `name`, or else its nearest base; None where none does."""
    if not isinstance(node, dict):
        return None
    try:
        return class_attribute(find(node["_target_"]), name)
    except LookupError:  # check() reports a target that may not be named
        return None


def class_attribute(definition: Definition, name: str) -> Any:
    for statement in getattr(definition.node, "body", ()):
        match statement:
            case ast.AnnAssign(target=ast.Name(id=id), value=ast.expr() as value) if id == name:
                return ast.literal_eval(value)
            case ast.Assign(targets=[ast.Name(id=id)], value=value) if id == name:
                return ast.literal_eval(value)
    inherited = (class_attribute(base, name) for base in bases(definition))
    return next((value for value in inherited if value is not None), None)


def monitored(objective: Node) -> tuple[str, str]:
    """The metric that an objective compares runs by, such as val/loss, and whether its min or max is best.

    An objective that wraps a task, as distillation does, monitors what the task does. Raises LookupError for an
    unknown target, or for a metric that the class does not list in `monitors`.
    """
    task = objective.get("task", objective)
    definition = find(task["_target_"] if isinstance(task, dict) else task)
    if isinstance(task, dict) and (chosen := task.get("monitor")) is not None:
        modes = class_attribute(definition, "monitors") or {}
        if chosen not in modes:
            raise LookupError(f"{getattr(definition.node, 'name', 'the objective')} has no metric {chosen}")
        return f"val/{chosen}", modes[chosen]
    found = {name: class_attribute(definition, name) for name in ("monitor", "mode")}
    for name, value in found.items():
        if value is None:
            raise LookupError(f"{getattr(definition.node, 'name', 'the objective')} has no {name}")
    return f"val/{found['monitor']}", found["mode"]
