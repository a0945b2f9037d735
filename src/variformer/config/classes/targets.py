"""Which code a config may name, and where that code is defined, found without importing any of it.

A `_target_` is an instruction to run code, and Hydra's own block-list is "not a security boundary" by its authors. So a
target must lie under one of a few prefixes, or in a package that the user has allowed (allowed_packages.py). It must
also be a public class that is written there. What a module only imports, such as its `os`, cannot be reached through
it. Functions are not allowed, because a call of a function can do anything.

A config can name any optimizer of torch.optim, transform of torchvision, metric of torchmetrics, callback and logger of
Lightning, each only in its section of the config (`PLACES`). They are built where a run trains. It is still safe to
load and to evaluate a run that somebody sent: this builds its model, data, tokenizer and objective, never its
optimizer, callbacks, loggers or metrics. `UNSAFE` are refused everywhere, because they read weights from files or the
network when they are built, or do not fit the training loop.
"""

import ast
import re
from collections.abc import Iterator
from functools import cache
from typing import NamedTuple

from ..errors import did_you_mean
from ..tree import Value
from .allowed_packages import WHERE, allowed, how_to_allow
from .modules import is_under, source_file, submodules
from .moved import current

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
    "torchmetrics",
    "lightning.pytorch.callbacks",
    "lightning.pytorch.loggers",
)
PLACES = {  # the one section of a config in which classes may stand
    "variformer.training.callbacks": "callbacks",
    "variformer.training.lamb": "optimizer",
    "variformer.training.loggers": "logger",
    "variformer.training.optimizer": "optimizer",
    "variformer.training.schedules": "schedule",
    "torch.optim": "optimizer",
    "torchmetrics": "metrics",
    "lightning.pytorch.callbacks": "callbacks",
    "lightning.pytorch.loggers": "logger",
}
WEIGHTS = "reads weights from a file or the network when it is built"
UNSAFE = {
    "torch.optim.lbfgs": "calls the model several times a step, but the training loop calls it once",
    "torch.optim.sparse_adam": "takes sparse gradients, which no model here has",
    "torch.optim.lr_scheduler": "is no optimizer; variformer.training.schedules has the schedules",
    "torch.optim.swa_utils": "is no optimizer; callbacks=average keeps a moving average",
    "torchmetrics.audio": WEIGHTS,
    "torchmetrics.image": WEIGHTS,  # FID and its relatives
    "torchmetrics.multimodal": WEIGHTS,
    "torchmetrics.text.bert": WEIGHTS,
    "torchmetrics.text.infolm": WEIGHTS,
    "torchmetrics.video": WEIGHTS,
}
OWN = "variformer"  # names are followed wherever they lead within it

PUBLIC_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_]*(\.[A-Za-z][A-Za-z0-9_]*)+", re.ASCII)


class Definition(NamedTuple):
    """The source of a name: a class, a function, or the value assigned to it; and the module where it stands."""

    module: str
    node: ast.ClassDef | ast.FunctionDef | ast.expr


class Imported(NamedTuple):
    module: str
    name: str


def find(target: Value) -> Definition:
    """The class that a `_target_` names. Raises LookupError if a config may not name it."""
    rule = f"a target is a public name under {', '.join(ALLOWED)}"
    if not isinstance(target, str) or not PUBLIC_NAME.fullmatch(target):
        raise LookupError(f"`{target}` is not allowed: {rule}")
    target = current(target)
    root = root_of(target)
    if root is None:
        raise LookupError(f"`{target}` is not allowed: {how_to_allow(target.partition('.')[0]) or rule}")
    module, _, name = target.rpartition(".")
    require_module(module, root)
    if not any(is_under(target, prefix) for prefix in (*ALLOWED, *allowed())):
        raise LookupError(f"`{target}` is not allowed: {rule}")
    definition = resolve(module, name)
    if definition is None and name not in bindings(module):
        raise LookupError(f"`{target}` does not exist{did_you_mean(name, exported(module))}")
    if definition is None or not isinstance(definition.node, ast.ClassDef) or root_of(definition.module) != root:
        raise LookupError(f"`{target}` is not allowed: {name} is not a class defined in {root}")
    for refused, reason in UNSAFE.items():
        if is_under(definition.module, refused):
            raise LookupError(f"`{target}` is not allowed: it {reason}")
    return definition


def misplaced(target: str, key: str) -> str | None:
    """The problem of a class that stands at `key`, in another section of the config than its own; None without one."""
    section, place = key.partition(".")[0], next((PLACES[p] for p in PLACES if is_under(target, p)), None)
    if not key or place is None or section == place:
        return None
    return f"`{target}` is not allowed here: it belongs in {place}"


def resolve(module: str, name: str, seen: frozenset[Imported] = frozenset()) -> Definition | None:
    """Follow a name through imports, as long as they stay under one allowed prefix.

    The imports of a user's own package may lead to other allowed packages: its base classes and annotations lie there.
    """
    found = bindings(module).get(name)
    if isinstance(found, Definition):
        return found
    for source in [found] if found else [Imported(star, name) for star in stars(module)]:
        # `from . import x` may import itself
        if reaches(module, source.module) and source not in seen:
            definition = resolve(source.module, source.name, seen | {source})
            if definition is not None:
                return definition
    return None


def resolve_expression(module: str, name: ast.expr) -> Definition | None:
    """The definition of `Base`, `module.Base` or `Base[T]` in a module's text."""
    match name:
        case ast.Name(id=id):
            return resolve(module, id)
        case ast.Subscript(value=value):
            return resolve_expression(module, value)
        case ast.Attribute(value=ast.Name(id=owner), attr=attribute):
            source = bindings(module).get(owner)
            within = f"{source.module}.{source.name}".rstrip(".") if isinstance(source, Imported) else ""
            return resolve(within, attribute) if within and reaches(module, within) else None
    return None


def reaches(module: str, other: str) -> bool:
    """Whether the names that `module` imports from `other` are followed."""
    root, there = root_of(module), root_of(other)
    return root == there or (is_foreign(module) and there is not None)


def is_foreign(module: str) -> bool:
    """Whether a module lies in a package that the user has allowed."""
    return any(is_under(module, package) for package in allowed())


def root_of(module: str) -> str | None:
    ours = next((root for root in (OWN, *ALLOWED) if is_under(module, root)), None)
    return ours or next((package for package in allowed() if is_under(module, package)), None)


def require_module(module: str, root: str) -> None:
    """Raises LookupError that names the first part of the path that is not a module."""
    parts = module.split(".")
    if source_file(parts[0]) is None:
        raise LookupError(f"the package `{parts[0]}` is allowed but not found; {WHERE}")
    for end in range(len(root.split(".")), len(parts) + 1):
        name = ".".join(parts[:end])
        if source_file(name) is None:
            parent, _, last = name.rpartition(".")
            raise LookupError(f"`{parent}` has no module `{last}`{did_you_mean(last, submodules(parent))}")


def exported(module: str) -> list[str]:
    """The public names that a module defines or imports from its own package."""
    names = [name for star in stars(module) for name in exported(star)]
    for name, found in bindings(module).items():
        defined = not isinstance(found.node, ast.expr) if isinstance(found, Definition) else bool(found.name)
        if defined and not name.startswith("_") and root_of(found.module) == root_of(module):
            names.append(name)
    return names


@cache
def bindings(module: str) -> dict[str, Definition | Imported]:
    """What each top-level name of a module stands for. The last statement wins, as when Python runs them."""
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
    """The modules from which `module` imports everything (`from x import *`)."""
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
