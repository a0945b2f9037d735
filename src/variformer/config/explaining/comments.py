"""What conf/ says of its keys, groups and options, in comments: for `--help`."""

import re
from collections.abc import Iterator
from itertools import takewhile
from pathlib import Path
from typing import Any

from ..checking.check import experiment
from ..checking.fitting import config_folders
from ..classes.signatures import Signature, signature
from ..classes.values import dataclass_of
from ..classes.wording import described, literals

WIDTH = 26  # of names, in characters
SENTENCE = re.compile(r".*?[.?](?= [A-Z])|.*")


def heading(file: Path) -> str:
    """The first sentence of the comment that a file begins with; what Hydra reads (`# @package`) is none of it."""
    lines = file.read_text(encoding="utf-8").splitlines()
    head = [line.removeprefix("#") for line in takewhile(lambda line: line.startswith("#"), lines)]
    text = takewhile(lambda line: line.strip() and not line.startswith("  "), (x for x in head if x[1:2] != "@"))
    return SENTENCE.match(" ".join(line.strip() for line in text))[0]  # type: ignore[index]


def comments(file: Path) -> dict[str, str]:
    """Each key of a file, with dots, and the comment on its line; without those that have none.

    The groups in a defaults list are `defaults.GROUP`.
    """
    import yaml

    text = file.read_text(encoding="utf-8")
    lines, root = text.splitlines(), yaml.compose(text)
    found = {key: comment_at(lines, line, column) for key, line, column in places(root)}
    return {key: comment for key, comment in found.items() if comment}


def places(node: Any, path: str = "") -> Iterator[tuple[str, int, int]]:
    """(key, line, column) of where the value of each key ends, or its name where the value is a block below it."""
    for item in node.value if type(node).__name__ == "SequenceNode" else ():
        yield from places(item, path)
    for key, value in node.value if type(node).__name__ == "MappingNode" else ():
        name = f"{path}.{key.value}" if path else str(key.value)
        below = value.start_mark.line > key.end_mark.line
        end = key.end_mark if below else value.end_mark
        yield name, end.line, end.column
        yield from places(value, name)


def comment_at(lines: list[str], line: int, column: int) -> str:
    rest = lines[line][column:].lstrip(": ]},") if line < len(lines) else ""
    return rest.removeprefix("#").strip() if rest.startswith("#") else ""


def overview(name: str = "train") -> str:
    """The keys of a primary config and the options of its groups, each with what conf/ says of it."""
    folders = config_folders()
    file = next((path for folder in folders if (path := folder / f"{name}.yaml").is_file()), None)
    if file is None:
        return ""
    said = comments(file)
    lines = ["== KEY=VALUE ==", *keys(file, said, experiment())]
    for group in sorted({group for folder in folders for group in groups(folder)}):
        meaning = said.get(f"defaults.{group}")
        lines += ["", f"== {group}=OPTION =={f' {meaning}' if meaning else ''}"]
        lines += [line for folder in folders for line in options(folder / group)]
    return "\n".join(lines)


def keys(file: Path, said: dict[str, str], known: Signature, path: str = "") -> Iterator[str]:
    """A line for each value of a config file: what it means, and in brackets what it takes."""
    import yaml

    for key in yaml.safe_load(file.read_text(encoding="utf-8")):
        parameter = known.parameters.get(key)
        if parameter is not None and parameter.annotation is not None:
            takes = described(parameter.annotation, parameter.module)
            choices = ", ".join(literals(parameter.annotation, parameter.module))
            yield row(f"{path}{key}", f"{said.get(key, '')}  [{choices if takes == 'a choice' else takes}]".strip())
    for section, parameter in known.parameters.items():
        defaults, definition = file.parent / section / "default.yaml", dataclass_of(parameter)
        if definition is not None and defaults.is_file():
            yield from keys(defaults, comments(defaults), signature(definition), f"{section}.")


def options(group: Path) -> Iterator[str]:
    for file in sorted(group.glob("*.yaml")):
        yield row(file.stem, heading(file))
    for folder in sorted(each for each in group.glob("*") if each.is_dir()):
        yield row(f"{folder.name}/", names(folder))


def groups(folder: Path) -> list[str]:
    return sorted(each.name for each in folder.iterdir() if each.is_dir() and each.name != "hydra")


def names(folder: Path) -> str:
    """The options in a folder within a group, and of the folders in it."""
    return ", ".join(sorted(str(path.relative_to(folder).with_suffix("")) for path in folder.rglob("*.yaml")))


def row(name: str, text: str) -> str:
    return f"  {name:<{WIDTH}}  {text}".rstrip()
