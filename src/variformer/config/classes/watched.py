"""What an objective watches, read from its source: the process that runs a sweep imports no torch."""

import ast
from typing import Any

from .signatures import bases
from .targets import Definition, find


def watched(objective: dict[str, Any]) -> tuple[str, str]:
    """The node of an objective -> the metric that says which run is best, such as val/loss, and min or max.

    One that wraps a task, as distillation does, watches what the task does. Raises LookupError for an unknown target.
    """
    definition = find(objective.get("task", objective)["_target_"])
    return f"val/{attribute(definition, 'monitor')}", attribute(definition, "mode")


def attribute(definition: Definition, name: str) -> str:
    """A class attribute that is a literal, of a class or of the first base that has it."""
    assert isinstance(definition.node, ast.ClassDef)
    for statement in definition.node.body:
        target = statement.targets[0] if isinstance(statement, ast.Assign) else getattr(statement, "target", None)
        if isinstance(target, ast.Name) and target.id == name and isinstance(statement, ast.Assign | ast.AnnAssign):
            assert statement.value is not None
            return ast.literal_eval(statement.value)
    for base in bases(definition):
        return attribute(base, name)
    raise LookupError(f"{definition.node.name} has no {name}")
