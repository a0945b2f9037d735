"""Which arguments a class or function takes, read from its source text: an import of torch would take seconds."""

import ast
from dataclasses import dataclass, field
from functools import cache
from typing import Any

from .targets import Definition, is_foreign, resolve_expression

REQUIRED = object()  # the default of a parameter that has none
EMPTY = ("ABC", "Callback", "Dataset", "Generic", "Module", "Objective", "Protocol", "object")  # take no arguments
COMPUTED = object()  # a default that is more than a literal, such as a class


@dataclass(frozen=True)
class Parameter:
    module: str  # where the names in its annotation are looked up
    annotation: ast.expr | None
    default: Any  # the literal, or REQUIRED, or COMPUTED


@dataclass
class Signature:
    """The parameters that can be given by name. With `is_open` any other name can be given, too."""

    parameters: dict[str, Parameter] = field(default_factory=dict)
    is_open: bool = False


@cache
def signature(definition: Definition) -> Signature:
    """The arguments of a function, the fields of a dataclass, or the first `__init__` among a class and its bases.

    Callers share it, so they must not change it.
    """
    node = definition.node
    if isinstance(node, ast.FunctionDef):
        return of_function(definition.module, node)
    if not isinstance(node, ast.ClassDef):
        return Signature(is_open=True)
    if is_dataclass(node):
        return of_dataclass(definition)
    constructors = [each for each in node.body if isinstance(each, ast.FunctionDef) and each.name == "__init__"]
    if not constructors:
        return of_bases(definition)
    own = of_function(definition.module, constructors[-1])  # the last: those before it are overloads
    own.parameters.pop(next(iter(own.parameters), ""), None)  # self
    if own.is_open:  # **others go to the base class
        inherited, given = of_bases(definition), given_to_base(constructors[-1])
        others = {name: each for name, each in inherited.parameters.items() if name not in given}
        return Signature(others | own.parameters, inherited.is_open or not inherited.parameters)
    return own


def given_to_base(constructor: ast.FunctionDef) -> set[str]:
    """The names in `super().__init__(name=..., **others)`: the class gives them, so a config cannot."""
    calls = [each for each in ast.walk(constructor) if isinstance(each, ast.Call)]
    calls = [each for each in calls if ast.unparse(each.func) == "super().__init__"]
    return {keyword.arg for call in calls for keyword in call.keywords if keyword.arg}


def of_bases(definition: Definition) -> Signature:
    """The signature of the first base class that takes arguments. Bases that are not read take none."""
    for base in bases(definition):
        inherited = signature(base)
        if inherited.parameters or inherited.is_open:
            return inherited
    return Signature(is_open=has_unread_bases(definition))


def of_function(module: str, node: ast.FunctionDef) -> Signature:
    arguments = node.args
    positional = arguments.posonlyargs + arguments.args
    absent: list[ast.expr | None] = [None] * (len(positional) - len(arguments.defaults))
    defaults = absent + arguments.defaults + arguments.kw_defaults
    pairs = zip(positional + arguments.kwonlyargs, defaults, strict=True)
    parameters = {each.arg: Parameter(module, each.annotation, literal(default)) for each, default in pairs}
    return Signature(parameters, is_open=arguments.kwarg is not None)


def of_dataclass(definition: Definition) -> Signature:
    """The fields of a dataclass after those of its bases; class variables are not fields."""
    parameters: dict[str, Parameter] = {}
    for base in reversed(bases(definition)):
        parameters |= signature(base).parameters
    assert isinstance(definition.node, ast.ClassDef)
    fields = [each for each in definition.node.body if isinstance(each, ast.AnnAssign)]
    for each in fields:
        if isinstance(each.target, ast.Name) and "ClassVar" not in ast.unparse(each.annotation):
            parameters[each.target.id] = Parameter(definition.module, each.annotation, literal(each.value))
    return Signature(parameters)


def bases(definition: Definition) -> list[Definition]:
    """The base classes whose source is read. `nn.Module` is left out: it accepts any argument and uses none."""
    assert isinstance(definition.node, ast.ClassDef)
    found = [resolve_expression(definition.module, base) for base in definition.node.bases]
    classes = [base for base in found if base is not None and isinstance(base.node, ast.ClassDef)]
    return [base for base in classes if base.module != "torch.nn.modules.module"]


def has_unread_bases(definition: Definition) -> bool:
    """Whether a user's own class has bases that are not read, and so may take arguments that are not known here."""
    assert isinstance(definition.node, ast.ClassDef)
    names = [ast.unparse(base).partition("[")[0] for base in definition.node.bases]
    unread = [base for base in definition.node.bases if resolve_expression(definition.module, base) is None]
    return bool(unread) and is_foreign(definition.module) and not all(n.split(".")[-1] in EMPTY for n in names)


def is_dataclass(node: ast.AST) -> bool:
    return isinstance(node, ast.ClassDef) and any("dataclass" in ast.unparse(each) for each in node.decorator_list)


def literal(default: ast.expr | None) -> Any:
    if default is None:
        return REQUIRED
    try:
        return ast.literal_eval(default)
    except ValueError:
        return COMPUTED
