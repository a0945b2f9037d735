"""What an annotation takes, in words: `a number above 0, or null`."""

import ast
from typing import Any

import annotated_types

from .targets import Definition, resolve

BOUNDS = {name: getattr(annotated_types, name) for name in ("Gt", "Ge", "Lt", "Le", "Interval")}
LISTS = ("list", "List", "Sequence", "Iterable")
NOUNS = {"int": "a whole number", "float": "a number"}


def described(annotation: ast.expr, module: str) -> str:
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
            return ranged(ast.unparse(kind), limits(remarks))
        case ast.Subscript(value=ast.Name(id="Literal"), slice=ast.Constant(value=word)):
            return str(word)
        case ast.Subscript(value=ast.Name(id="Literal")):
            return "a choice"
        case ast.Subscript(value=ast.Name(id=name), slice=item) if name in LISTS:
            return f"a list, each item {described(item, module)}"
    return ast.unparse(annotation)


def ranged(kind: str, limits: list[Any]) -> str:
    """float, [Interval(ge=0, lt=1)] -> a number of 0 or more and below 1."""
    found = {name: getattr(each, name) for each in limits for name in ("ge", "gt", "le", "lt") if hasattr(each, name)}
    given = {name: value for name, value in found.items() if value is not None}
    noun = NOUNS.get(kind, kind)
    if given.keys() in ({"ge", "le"}, {"ge", "lt"}):
        return f"{noun} from {given['ge']} to {given['le'] if 'le' in given else 'below ' + str(given['lt'])}"
    words = {"ge": "of {} or more", "gt": "above {}", "le": "up to {}", "lt": "below {}"}
    return f"{noun} {' and '.join(words[name].format(value) for name, value in given.items())}".rstrip()


def limits(remarks: list[ast.expr]) -> list[Any]:
    """The ranges among what stands beside the type in an `Annotated`."""
    return [
        BOUNDS[name](*map(ast.literal_eval, arguments), **{str(k.arg): ast.literal_eval(k.value) for k in keywords})
        for remark in remarks
        if isinstance(remark, ast.Call)
        for name, arguments, keywords in [(ast.unparse(remark.func), remark.args, remark.keywords)]
        if name in BOUNDS
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
    """What a name in an annotation stands for, where it is no class."""
    definition = resolve(module, annotation.id) if isinstance(annotation, ast.Name) else None
    return definition if definition is not None and isinstance(definition.node, ast.expr) else None
