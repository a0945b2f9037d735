"""The comments of conf/: on the first lines of a file, and behind each of its keys."""

import re
from collections.abc import Iterator
from itertools import takewhile
from pathlib import Path
from typing import TYPE_CHECKING, Union

if TYPE_CHECKING:
    import yaml

SENTENCE = re.compile(r".*?[.?](?= [A-Z])|.*")


def heading(file: Path) -> str:
    """The first sentence of the comment at the top of a file, without the lines that Hydra reads (`# @package`)."""
    lines = file.read_text(encoding="utf-8").splitlines()
    head = [line.removeprefix("#") for line in takewhile(lambda line: line.startswith("#"), lines)]
    text = takewhile(lambda line: line.strip() and not line.startswith("  "), (x for x in head if x[1:2] != "@"))
    match = SENTENCE.match(" ".join(line.strip() for line in text))
    assert match is not None  # it matches the empty text, too
    return match[0]


def comments(file: Path) -> dict[str, str]:
    """The comment of each full key of a file that has one on its line.

    The key of a group in a defaults list is `defaults.GROUP`.
    """
    import yaml

    text = file.read_text(encoding="utf-8")
    lines, root = text.splitlines(), yaml.compose(text)
    found = {key: comment_at(lines, line, column) for key, line, column in places(root)}
    return {key: comment for key, comment in found.items() if comment}


def places(node: Union["yaml.Node", None], path: str = "") -> Iterator[tuple[str, int, int]]:
    """(full key, line, column) of where the value of each key ends, or its name if the value is a block below it."""
    import yaml

    for item in node.value if isinstance(node, yaml.SequenceNode) else ():
        yield from places(item, path)
    for key, value in node.value if isinstance(node, yaml.MappingNode) else ():
        name = f"{path}.{key.value}" if path else str(key.value)
        below = value.start_mark.line > key.end_mark.line
        end = key.end_mark if below else value.end_mark
        yield name, end.line, end.column
        yield from places(value, name)


def comment_at(lines: list[str], line: int, column: int) -> str:
    rest = lines[line][column:].lstrip(": ]},") if line < len(lines) else ""
    return rest.removeprefix("#").strip() if rest.startswith("#") else ""
