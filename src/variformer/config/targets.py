"""Which code a config may name, and where that code is defined, found without importing any of it.

A `_target_` is an instruction to run code, and Hydra's own block-list is "not a security boundary" by its authors. So a
target must lie under one of a few prefixes, and must be a public class that is written there: what a module merely
imports, such as its `os`, cannot be reached through it. Functions are no targets, because to call one is to act.
"""

import ast
import importlib.util
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import NamedTuple

from .nearest import hint

ALLOWED = (
    "variformer.data",
    "variformer.generation",
    "variformer.layers",
    "variformer.models",
    "variformer.objectives",
    "variformer.training.callbacks",
    "variformer.training.lamb",
    "variformer.training.loggers.TensorBoard",
    "variformer.training.loggers.Wandb",
    "variformer.training.optimizer",
    "variformer.training.schedules",
    "torch.nn",
    "torch.optim",
    "torchvision.transforms.v2",
    "lightning.pytorch.callbacks",
)
OWN = "variformer"  # within which names are followed wherever they lead

PUBLIC_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_]*(\.[A-Za-z][A-Za-z0-9_]*)+", re.ASCII)


class Definition(NamedTuple):
    """A name's source: a class, a function, or the value assigned to it; and the module that says so."""

    module: str
    node: ast.ClassDef | ast.FunctionDef | ast.expr


class Imported(NamedTuple):
    module: str
    name: str


def find(target: str) -> Definition:
    """The class that a `_target_` names. Raises LookupError if a config may not name it."""
    root = root_of(target) if isinstance(target, str) else None
    if root is None or not PUBLIC_NAME.fullmatch(target):
        raise LookupError(f"`{target}` is not allowed: a target is a public name under {', '.join(ALLOWED)}")
    module, _, name = target.rpartition(".")
    require_module(module, root)
    if not any(is_under(target, prefix) for prefix in ALLOWED):
        raise LookupError(f"`{target}` is not allowed: a target is under {', '.join(ALLOWED)}")
    definition = resolve(module, name)
    if definition is None and name not in bindings(module):
        raise LookupError(f"`{target}` does not exist{hint(name, exported(module))}")
    if definition is None or not isinstance(definition.node, ast.ClassDef):
        raise LookupError(f"`{target}` is not allowed: {name} is not a class defined in {root}")
    return definition


def resolve(module: str, name: str, seen: frozenset[Imported] = frozenset()) -> Definition | None:
    """Follow a name through imports, as long as they stay under one allowed prefix."""
    found = bindings(module).get(name)
    if isinstance(found, Definition):
        return found
    for source in [found] if found else [Imported(star, name) for star in stars(module)]:
        # `from . import x` may import itself
        if root_of(source.module) == root_of(module) and source not in seen:
            definition = resolve(source.module, source.name, seen | {source})
            if definition is not None:
                return definition
    return None


def root_of(module: str) -> str | None:
    return next((root for root in (OWN, *ALLOWED) if is_under(module, root)), None)


def is_under(name: str, prefix: str) -> bool:
    return name == prefix or name.startswith(prefix + ".")


def require_module(module: str, root: str) -> None:
    """Raises LookupError that names the first part of the path that is not a module."""
    parts = module.split(".")
    for end in range(len(root.split(".")), len(parts) + 1):
        name = ".".join(parts[:end])
        if source_file(name) is None:
            parent, _, last = name.rpartition(".")
            raise LookupError(f"`{parent}` has no module `{last}`{hint(last, submodules(parent))}")


@cache
def source_file(module: str) -> Path | None:
    """Python looks up the top package only, without running it; the rest are paths below it."""
    top, *below = module.split(".")
    spec = importlib.util.find_spec(top)
    if spec is None or not spec.submodule_search_locations:
        return None
    path = Path(spec.submodule_search_locations[0], *below)
    candidates = (
        path / "__init__.py",
        path.with_suffix(".py"),
        path,
    )  # a folder without __init__.py is a package too
    return next((each for each in candidates if each.exists()), None)


def submodules(package: str) -> list[str]:
    file = source_file(package)
    folder = file.parent if file is not None and file.name == "__init__.py" else file
    if folder is None or not folder.is_dir():
        return []
    return sorted(path.stem for path in folder.iterdir() if re.match("[a-z]", path.name))


def exported(module: str) -> list[str]:
    """The public names that a module defines or imports from its own package, which a config might mean."""
    names = [name for star in stars(module) for name in exported(star)]
    for name, found in bindings(module).items():
        defined = not isinstance(found.node, ast.expr) if isinstance(found, Definition) else bool(found.name)
        if defined and not name.startswith("_") and root_of(found.module) == root_of(module):
            names.append(name)
    return names


@cache
def bindings(module: str) -> dict[str, Definition | Imported]:
    """What each top-level name of a module stands for; the last statement wins, as when Python runs them."""
    found: dict[str, Definition | Imported] = {}
    for statement in statements(module):
        match statement:
            case ast.ClassDef(name=name) | ast.FunctionDef(name=name):
                found[name] = Definition(module, statement)
            case ast.Assign(targets=[ast.Name(id=name)], value=value):
                found[name] = Definition(module, value)
            case ast.ImportFrom():
                source = absolute(module, statement)
                found |= {alias.asname or alias.name: Imported(source, alias.name) for alias in statement.names}
            case ast.Import():
                found |= {alias.asname or alias.name: Imported(alias.name, "") for alias in statement.names}
    found.pop("*", None)
    return found


@cache
def stars(module: str) -> list[str]:
    """The modules of which `module` imports everything."""
    imports = [each for each in statements(module) if isinstance(each, ast.ImportFrom)]
    return [absolute(module, each) for each in imports if each.names[0].name == "*"]


@cache
def statements(module: str) -> list[ast.stmt]:
    file = source_file(module)
    return list(flatten(ast.parse(file.read_bytes()).body)) if file and file.is_file() else []


def flatten(body: list[ast.stmt]) -> Iterator[ast.stmt]:
    """Top-level statements, also those under an `if TYPE_CHECKING` or a `try`."""
    for statement in body:
        if isinstance(statement, ast.If | ast.Try):
            yield from flatten(statement.body + statement.orelse)
        else:
            yield statement


def absolute(module: str, statement: ast.ImportFrom) -> str:
    """The full name of the module that `from ... import` reads."""
    if not statement.level:
        return statement.module or ""
    file = source_file(module)
    depth = statement.level - (1 if file is not None and file.name == "__init__.py" else 0)
    package = module.split(".")[: len(module.split(".")) - depth]
    return ".".join([*package, statement.module] if statement.module else package)
