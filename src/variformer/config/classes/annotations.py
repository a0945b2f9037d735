"""Which values an annotation takes: as a type, which pydantic compares strictly, and in words for a user."""

import ast
from collections.abc import Iterator, Sequence
from functools import cache
from types import GenericAlias
from typing import Annotated, Any, Literal, TypeAlias, Union

import annotated_types
from pydantic import BeforeValidator, PlainValidator, TypeAdapter, ValidationError

from ..errors import did_you_mean
from ..tree import Value
from .signatures import Parameter, is_dataclass
from .targets import Definition, resolve

Limit: TypeAlias = annotated_types.BaseMetadata | annotated_types.GroupedMetadata
LIMITS = {name: getattr(annotated_types, name) for name in ("Gt", "Ge", "Lt", "Le", "Interval")}
LISTS = ("list", "List", "Sequence", "Iterable")
NOUNS = {"int": "a whole number", "float": "a number"}


def as_node(value: object) -> object:
    if isinstance(value, dict) and "_target_" in value:
        return value
    raise ValueError("not a node")


def as_tuple(value: object) -> object:
    return tuple(value) if isinstance(value, list) else value  # YAML has no tuples


Node = Annotated[Any, PlainValidator(as_node)]  # a dict with `_target_`, which becomes an object
PLAIN: dict[str, Any] = {
    "int": int,
    "float": float,
    "bool": bool,
    "str": str,
    "Path": str,
    "Any": Any,
    "object": Any,
}
GENERIC: dict[str, Any] = {
    "list": list,
    "List": list,
    "Sequence": Sequence,
    "Iterable": Sequence,
    "dict": dict,
    "Mapping": dict,
}


def misfit(value: Value, key: str, parameter: Parameter) -> Iterator[str]:
    """What is wrong with the value of a parameter: one line, or none."""
    annotation = parameter.annotation
    if annotation is None or (value is None and parameter.default is None):
        return
    type_, adapter = adapted(annotation, parameter.module)
    try:
        adapter.validate_python(value, strict=True)
    except ValidationError as error:
        culprit, where = innermost(value, key, error.errors()[0]["loc"])
        shown = repr(culprit) if len(repr(culprit)) < 80 else repr(culprit)[:77] + "..."
        choices = literals(annotation, parameter.module)
        meant = did_you_mean(culprit, choices) if choices and isinstance(culprit, str) else ""
        relation = "is not" if where == key else "does not fit in"
        expected = "a part (a dict with `_target_`)" if type_ is Node else described(annotation, parameter.module)
        yield f"{where}: {shown} {relation} {expected}{meant}"


@cache
def adapted(annotation: ast.expr, module: str) -> tuple[Any, TypeAdapter[Any]]:
    """The type that an annotation stands for, and what compares values with it. To make that takes long."""
    type_ = type_of(annotation, module)
    return type_, TypeAdapter(type_)


def innermost(value: Value, key: str, location: Sequence[int | str]) -> tuple[Value, str]:
    """The innermost item that pydantic's location leads to, and its key."""
    for part in location:
        if isinstance(value, dict) and part in value:
            value, key = next(each for name, each in value.items() if name == part), f"{key}.{part}"
        elif isinstance(value, list) and isinstance(part, int) and part < len(value):
            value, key = value[part], f"{key}[{part}]"
    return value, key


def type_of(annotation: ast.expr, module: str) -> Any:
    """The type that an annotation stands for. An alias is followed to its meaning; any other class is a node."""
    match annotation:
        case ast.Constant(value=str(text)):
            return type_of(ast.parse(text, mode="eval").body, module)
        case ast.Constant(value=constant):
            return constant  # None, or the ... of tuple[int, ...]
        case ast.BinOp(left=left, op=ast.BitOr(), right=right):
            return Union[type_of(left, module), type_of(right, module)]  # noqa: UP007
        case ast.Name(id=name) | ast.Attribute(attr=name):
            return named(name, module)
        case ast.Subscript(value=ast.Name(id=name) | ast.Attribute(attr=name), slice=inner):
            items = inner.elts if isinstance(inner, ast.Tuple) else [inner]
            return subscripted(name, items, module)
    return Any


def named(name: str, module: str) -> Any:
    if name in PLAIN:
        return PLAIN[name]
    if name in ("tuple", "Tuple"):
        return Annotated[tuple, BeforeValidator(as_tuple)]
    if name in GENERIC:
        return GENERIC[name]
    definition = resolve(module, name)
    if definition is not None and isinstance(definition.node, ast.expr):
        return type_of(definition.node, definition.module)
    if definition is not None and is_dataclass(definition.node):
        return dict
    return Node if name[0].isupper() else Any  # `_size_2_t` is some alias: its own code will check it


def subscripted(name: str, items: list[ast.expr], module: str) -> Any:
    if name == "Annotated":
        kind = type_of(items[0], module)
        for limit in limits(items[1:]):
            kind = Annotated[kind, limit]
        return kind
    if name == "Literal":
        return Literal[tuple(ast.literal_eval(item) for item in items)]
    if name in ("tuple", "Tuple"):
        kind = GenericAlias(tuple, tuple(type_of(item, module) for item in items))
        return Annotated[kind, BeforeValidator(as_tuple)]
    if name == "Union":
        return Union[tuple(type_of(item, module) for item in items)]  # noqa: UP007
    if name == "Optional":
        return type_of(items[0], module) | None
    if name in GENERIC:
        return GENERIC[name][tuple(type_of(item, module) for item in items)]
    return named(name, module)


def dataclass_of(parameter: Parameter) -> Definition | None:
    """The dataclass that a parameter is annotated with; None where it is no dataclass."""
    if not isinstance(parameter.annotation, ast.Name):
        return None
    definition = resolve(parameter.module, parameter.annotation.id)
    return definition if definition is not None and is_dataclass(definition.node) else None


def described(annotation: ast.expr, module: str) -> str:
    """An annotation in words: `a number above 0, or null`."""
    definition = alias(annotation, module)
    if definition is not None:
        assert isinstance(definition.node, ast.expr)
        return described(definition.node, definition.module)
    match annotation:
        case ast.Constant(value=None):
            return "null"
        case ast.Constant(value=str(text)):
            return described(ast.parse(text, mode="eval").body, module)
        case ast.BinOp(left=left, op=ast.BitOr(), right=right):
            return f"{described(left, module)}, or {described(right, module)}"
        case ast.Subscript(value=ast.Name(id="Annotated"), slice=ast.Tuple(elts=[kind, *remarks])):
            return limited(ast.unparse(kind), limits(remarks))
        case ast.Subscript(value=ast.Name(id="Literal"), slice=ast.Constant(value=word)):
            return str(word)
        case ast.Subscript(value=ast.Name(id="Literal")):
            return "a choice"
        case ast.Subscript(value=ast.Name(id=name), slice=item) if name in LISTS:
            return f"a list, each item {described(item, module)}"
    return ast.unparse(annotation)


def limited(kind: str, limits: Sequence[Limit]) -> str:
    """float, [Interval(ge=0, lt=1)] -> a number from 0 to below 1."""
    found = {name: getattr(each, name) for each in limits for name in ("ge", "gt", "le", "lt") if hasattr(each, name)}
    given = {name: value for name, value in found.items() if value is not None}
    noun = NOUNS.get(kind, kind)
    if given.keys() in ({"ge", "le"}, {"ge", "lt"}):
        return f"{noun} from {given['ge']} to {given['le'] if 'le' in given else 'below ' + str(given['lt'])}"
    words = {"ge": "of {} or more", "gt": "above {}", "le": "up to {}", "lt": "below {}"}
    return f"{noun} {' and '.join(words[name].format(value) for name, value in given.items())}".rstrip()


def limits(remarks: list[ast.expr]) -> list[Limit]:
    """The ranges among what stands beside the type in an `Annotated`."""
    return [
        LIMITS[name](*map(ast.literal_eval, arguments), **{str(k.arg): ast.literal_eval(k.value) for k in keywords})
        for remark in remarks
        if isinstance(remark, ast.Call)
        for name, arguments, keywords in [(ast.unparse(remark.func), remark.args, remark.keywords)]
        if name in LIMITS
    ]


def literals(annotation: ast.expr, module: str) -> list[str]:
    """The words that an annotation offers to choose from."""
    definition = alias(annotation, module)
    if definition is not None:
        assert isinstance(definition.node, ast.expr)
        return literals(definition.node, definition.module)
    found = [
        each
        for each in ast.walk(annotation)
        if isinstance(each, ast.Subscript) and "Literal" in ast.unparse(each.value)
    ]
    words = [each.value for subscript in found for each in ast.walk(subscript.slice) if isinstance(each, ast.Constant)]
    return [word for word in words if isinstance(word, str)]


def alias(annotation: ast.expr, module: str) -> Definition | None:
    """What a name in an annotation stands for; None where it is a class."""
    definition = resolve(module, annotation.id) if isinstance(annotation, ast.Name) else None
    return definition if definition is not None and isinstance(definition.node, ast.expr) else None
