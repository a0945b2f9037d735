"""The text of `variformer train --help`: the keys of a config and the options of its groups."""

from collections.abc import Iterator
from pathlib import Path

from ..checking.defaults import experiment
from ..classes.annotations import dataclass_of, described, literals
from ..classes.signatures import Signature, signature
from ..folders import config_folders
from .comments import comments, heading

WIDTH = 26  # of names, in characters


def overview(name: str = "train") -> str:
    """The keys of the main config `name` and the options of its groups, each with its comment in conf/."""
    folders = config_folders()
    file = next((path for folder in folders if (path := folder / f"{name}.yaml").is_file()), None)
    if file is None:
        return ""
    meanings = comments(file)
    lines = ["== KEY=VALUE ==", *keys(file, meanings, experiment())]
    for group in sorted({group for folder in folders for group in groups(folder)}):
        meaning = meanings.get(f"defaults.{group}")
        lines += ["", f"== {group}=OPTION =={f' {meaning}' if meaning else ''}"]
        lines += [line for folder in folders for line in options(folder / group)]
    return "\n".join(lines)


def keys(file: Path, meanings: dict[str, str], known: Signature, path: str = "") -> Iterator[str]:
    """A line for each value of a config file: what it means, and in brackets what it takes."""
    import yaml

    for key in yaml.safe_load(file.read_text(encoding="utf-8")):
        parameter = known.parameters.get(key)
        if parameter is not None and parameter.annotation is not None:
            takes = described(parameter.annotation, parameter.module)
            choices = ", ".join(literals(parameter.annotation, parameter.module))
            text = f"{meanings.get(key, '')}  [{choices if takes == 'a choice' else takes}]".strip()
            yield row(f"{path}{key}", text)
    for section, parameter in known.parameters.items():
        defaults, definition = file.parent / section / "default.yaml", dataclass_of(parameter)
        if definition is not None and defaults.is_file():
            yield from keys(defaults, comments(defaults), signature(definition), f"{section}.")


def options(group: Path) -> Iterator[str]:
    """A line for each option of a group, and for each folder within it."""
    for file in sorted(group.glob("*.yaml")):
        yield row(file.stem, heading(file))
    for folder in sorted(each for each in group.glob("*") if each.is_dir()):
        yield row(f"{folder.name}/", names(folder))


def groups(folder: Path) -> list[str]:
    return sorted(each.name for each in folder.iterdir() if each.is_dir() and each.name != "hydra")


def names(folder: Path) -> str:
    """The options in a folder and in the folders within it."""
    return ", ".join(sorted(str(path.relative_to(folder).with_suffix("")) for path in folder.rglob("*.yaml")))


def row(name: str, text: str) -> str:
    return f"  {name:<{WIDTH}}  {text}".rstrip()
