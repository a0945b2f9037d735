"""Does a value fit an annotation? Its source text becomes a type, and pydantic compares strictly."""

import ast
from collections.abc import Iterator, Sequence
from typing import Annotated, Any, Literal, Union

from pydantic import BeforeValidator, PlainValidator, TypeAdapter, ValidationError

from .nearest import hint
from .signatures import Parameter, is_dataclass
from .targets import Definition, resolve
from .wording import described, limits, literals


def as_node(value: Any) -> Any:
    if isinstance(value, dict) and "_target_" in value:
        return value
    raise ValueError("not a node")


def as_tuple(value: Any) -> Any:
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


def misfit(value: Any, key: str, parameter: Parameter) -> Iterator[str]:
    """Says what is wrong with the value, if anything is."""
    annotation = parameter.annotation
    if annotation is None or (value is None and parameter.default is None):
        return
    type_ = type_of(annotation, parameter.module)
    try:
        TypeAdapter(type_).validate_python(value, strict=True)
    except ValidationError as error:
        culprit, where = pinpointed(value, key, error.errors()[0]["loc"])
        shown = repr(culprit) if len(repr(culprit)) < 80 else repr(culprit)[:77] + "..."
        choices = literals(annotation, parameter.module)
        meant = hint(culprit, choices) if choices and isinstance(culprit, str) else ""
        relation = "is not" if where == key else "does not fit in"
        expected = "a part (a dict with `_target_`)" if type_ is Node else described(annotation, parameter.module)
        yield f"{where}: {shown} {relation} {expected}{meant}"


def pinpointed(value: Any, key: str, location: Sequence[int | str]) -> tuple[Any, str]:
    """The innermost item that pydantic's location leads to, and its key."""
    for part in location:
        if isinstance(value, dict) and part in value:
            value, key = value[part], f"{key}.{part}"
        elif isinstance(value, list) and isinstance(part, int) and part < len(value):
            value, key = value[part], f"{key}[{part}]"
    return value, key


def type_of(annotation: ast.expr, module: str) -> Any:
    """Plain types are spelled out, an alias is followed to its meaning, any other class is a node."""
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
        return ranged(type_of(items[0], module), limits(items[1:]))
    if name == "Literal":
        return Literal[tuple(ast.literal_eval(item) for item in items)]
    if name in ("tuple", "Tuple"):
        inner = tuple(type_of(item, module) for item in items)
        return Annotated[tuple[inner], BeforeValidator(as_tuple)]  # type: ignore[valid-type]
    if name == "Union":
        return Union[tuple(type_of(item, module) for item in items)]  # noqa: UP007
    if name == "Optional":
        return type_of(items[0], module) | None
    if name in GENERIC:
        return GENERIC[name][tuple(type_of(item, module) for item in items)]
    return named(name, module)


def ranged(kind: Any, limits: list[Any]) -> Any:
    for limit in limits:
        kind = Annotated[kind, limit]
    return kind


def dataclass_of(parameter: Parameter) -> Definition | None:
    """The dataclass that a parameter is annotated with, if it is."""
    if not isinstance(parameter.annotation, ast.Name):
        return None
    definition = resolve(parameter.module, parameter.annotation.id)
    return definition if definition is not None and is_dataclass(definition.node) else None
