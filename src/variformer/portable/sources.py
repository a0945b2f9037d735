"""Which modules a model is made of, found by following imports in source text from the classes that its config names.

Nothing is imported: a module that must not go along is refused before it could run.
"""

import ast
import sys
from collections.abc import Iterable, Iterator
from functools import lru_cache
from pathlib import Path
from typing import Any, NamedTuple

from ..config.classes.targets import OWN, Imported, absolute, bindings, find, source_file

RANGES = f"{OWN}.ranges"  # for the check of configs; they go along as plain types
PORTABLE = (f"{OWN}.layers", f"{OWN}.models", RANGES)  # of our own package
INSTALLED = {"torch"}  # wherever the folder is read; what is in Python itself needs no name


class Place(NamedTuple):
    """Where a name is defined; without a name, a whole module."""

    module: str
    name: str


def targets(node: Any) -> Iterator[str]:
    """Every `_target_` in the config of a model, in order."""
    if isinstance(node, dict):
        if "_target_" in node:
            yield node["_target_"]
        node = list(node.values())
    if isinstance(node, list | tuple):
        for each in node:
            yield from targets(each)


def class_of(target: str) -> Place:
    """The class that a `_target_` names. Raises LookupError if a config may not name it."""
    definition = find(target)
    return Place(definition.module, getattr(definition.node, "name", ""))


def is_installed(module: str) -> bool:
    top = module.partition(".")[0]
    return top in INSTALLED or top in sys.stdlib_module_names


def collect(names: Iterable[str]) -> list[str]:
    """The modules of these `_target_`s and all that they import, those of torch and of Python itself left out.

    Raises ValueError that names an import that cannot go along.
    """
    waiting = [class_of(name).module for name in names if not is_installed(name)]
    found: list[str] = []
    while waiting:
        module = waiting.pop(0)
        if module not in found:
            found.append(module)
            waiting += [place.module for each in own_imports(module) for place in places(module, each)]
    return found


def own_imports(module: str) -> Iterator[ast.ImportFrom]:
    """The statements of a module that import from modules that go along. Raises ValueError for what cannot."""
    for statement in import_statements(file_of(module).read_bytes()) if module != RANGES else ():
        if isinstance(statement, ast.ImportFrom):
            origin = absolute(module, statement)
            if is_installed(origin):
                continue
            for each in origins(origin, statement):
                require_portable(module, each, statement)
            if any(alias.name == "*" for alias in statement.names):
                refuse(module, statement, f"everything of {origin}", "name what it imports")
            yield statement
        else:
            for alias in statement.names:
                if not is_installed(alias.name):
                    require_portable(module, alias.name, statement)
                    refuse(module, statement, alias.name, f"write `from {alias.name} import ...`")


@lru_cache(maxsize=256)
def import_statements(text: bytes) -> list[ast.Import | ast.ImportFrom]:
    """All of a source text, at any depth. The text of a part is asked for in each export."""
    return [each for each in ast.walk(ast.parse(text)) if isinstance(each, ast.Import | ast.ImportFrom)]


def origins(origin: str, statement: ast.ImportFrom) -> list[str]:
    """The modules that a statement imports from: of `from .. import layers`, those that it names."""
    named = [f"{origin}.{alias.name}" for alias in statement.names]
    return named if all(source_file(each) is not None for each in named) else [origin]


def require_portable(module: str, origin: str, statement: ast.stmt) -> None:
    if is_under_any(origin, PORTABLE) or (top(origin) == top(module) and top(module) != OWN):
        return
    theirs = f"torch, Python's own modules, {' and '.join(PORTABLE[:2])}"
    refuse(module, statement, origin, f"a model that is exported with its own code may import {theirs}, nothing else")


def refuse(module: str, statement: ast.stmt, what: str, cure: str) -> None:
    raise ValueError(f"{file_of(module)}:{statement.lineno} imports {what}, which cannot go along: {cure}")


def places(module: str, statement: ast.ImportFrom) -> list[Place]:
    """Where each name that a statement imports is defined."""
    origin = absolute(module, statement)
    return [home(origin, alias.name) for alias in statement.names]


def home(module: str, name: str) -> Place:
    """Where a name of a module is defined, through the packages that offer it."""
    found = bindings(module).get(name)
    if isinstance(found, Imported) and found != Imported(module, name) and top(found.module) == top(module):
        return home(found.module, found.name) if found.name else Place(found.module, "")
    if source_file(f"{module}.{name}") is not None:
        return Place(f"{module}.{name}", "")
    return Place(module, name)


def tree(module: str) -> ast.Module:
    return ast.parse(file_of(module).read_bytes())


def file_of(module: str) -> Path:
    file = source_file(module)
    if file is None or not file.is_file():
        raise ValueError(f"{module} has no source text, so a model that needs it cannot be exported")
    return file


def is_under_any(name: str, prefixes: Iterable[str]) -> bool:
    return any(name == prefix or name.startswith(f"{prefix}.") for prefix in prefixes)


def top(module: str) -> str:
    return module.partition(".")[0]
