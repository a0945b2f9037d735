"""The source text of modules for a folder without packages: transformers copies `from .name import ...` from one."""

import ast
from collections.abc import Iterable, Mapping

from ..config.classes.targets import OWN
from .sources import RANGES, file_of, own_imports, places, top, tree

WIDTH = 120
Edit = tuple[ast.stmt | ast.expr, str]  # a piece of source text, and what takes its place


def file_names(modules: Iterable[str], taken: Iterable[str]) -> dict[str, str]:
    """A file name without .py for each module: its last part, or all of them where another has that, ours first."""
    names: dict[str, str] = {}
    for module in sorted(modules, key=lambda each: top(each) != OWN):
        last = module.rpartition(".")[2]
        names[module] = module.replace(".", "_") if last in {*taken, *names.values()} else last
    return names


def flattened(module: str, names: Mapping[str, str]) -> str:
    """The text of a module whose imports are from the files of `names`; all else is as it was written."""
    edits: list[Edit] = [(each, imports(module, each, names)) for each in own_imports(module)]
    if module == RANGES:
        edits = list(plain_types(tree(module)))
    return edited(file_of(module).read_text(encoding="utf-8"), edits)


def imports(module: str, statement: ast.ImportFrom, names: Mapping[str, str]) -> str:
    """Statements that import the same names from files beside this one."""
    lines: dict[str, list[str]] = {}
    for alias, place in zip(statement.names, places(module, statement), strict=True):
        name = names[place.module] if not place.name else place.name
        called = f"{name} as {alias.asname or alias.name}" if (alias.asname or alias.name) != name else name
        lines.setdefault(f".{names[place.module]}" if place.name else ".", []).append(called)
    return ("\n" + " " * statement.col_offset).join(joined(origin, called) for origin, called in sorted(lines.items()))


def joined(origin: str, called: list[str]) -> str:
    line = f"from {origin} import {', '.join(called)}"
    if len(line) <= WIDTH:
        return line
    return "\n".join([f"from {origin} import (", *(f"    {each}," for each in called), ")"])


def plain_types(module: ast.Module) -> Iterable[Edit]:
    """`Annotated[int, Ge(1)]` -> `int`."""
    for node in ast.walk(module):
        if isinstance(node, ast.ImportFrom) and node.module in ("annotated_types", "typing"):
            yield node, ""
        elif isinstance(node, ast.Subscript) and isinstance(node.slice, ast.Tuple):
            yield node, ast.unparse(node.slice.elts[0])


def edited(text: str, edits: Iterable[Edit]) -> str:
    """The text with pieces of it replaced; a line that becomes empty is left out."""
    lines = [line.encode() for line in text.splitlines(keepends=True)]  # columns of a tree count bytes
    starts = [0]
    for line in lines:
        starts.append(starts[-1] + len(line))
    content = b"".join(lines)
    for node, new in sorted(edits, key=lambda edit: edit[0].lineno, reverse=True):
        assert node.end_lineno is not None and node.end_col_offset is not None, "parsed source text has both"
        begin = starts[node.lineno - 1] + node.col_offset
        end = starts[node.end_lineno - 1] + node.end_col_offset
        end += not new and content[end : end + 1] == b"\n"
        content = content[:begin] + new.encode() + content[end:]
    return content.decode()
