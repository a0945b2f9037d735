"""The text of `variformer help KEY`: what a key or a group of a config means, takes and is by default.

A key's meaning is the comment on its line in conf/. Without a comment, it is what the docstring of its class says.
"""

import ast
import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import yaml

from ..checking.defaults import experiment
from ..classes.annotations import dataclass_of, described, literals
from ..classes.signatures import COMPUTED, REQUIRED, Parameter, Signature, bases, signature
from ..classes.targets import Definition, find
from ..errors import did_you_mean
from ..tree import Config
from .comments import comments
from .overview import groups, options

WORDS = {"bool": "true or false", "int": "a whole number", "float": "a number", "str": "a text", "Any": "anything"}
KINDS = {bool: "bool", int: "int", float: "float", str: "str", list: "a list", dict: "names and values"}
SETS = ("experiment", "sweep", "launch", "debug", "trainer", "local", "paths")  # groups that add no keys
PACKAGE = re.compile(r"# @package (\S+)")


class Explanation(NamedTuple):
    """What one file says of a key. `choice` is the option that has the key; empty if every run has it."""

    choice: str
    meaning: str
    takes: str
    default: str
    is_comment: bool = True  # else the meaning is from a docstring


def explained(key: str, folders: Sequence[Path]) -> str:
    """The explanation of a full key, or of a group with slashes. Raises LookupError, with a similar one, if unknown."""
    group = key.replace(".", "/")
    is_group = any((folder / group).is_dir() for folder in folders)
    found = index(folders)
    if key not in found and not is_group:
        known = sorted({*found, *(path for folder in folders for path in nested_groups(folder))})
        raise LookupError(f"there is no key or group `{key}`{did_you_mean(key, known)}")
    lines = list(of_key(key, found[key])) if key in found else []
    if is_group:
        lines += (
            ["", f"{group}=OPTION"] if lines else [f"{group}=OPTION: {meaning_of_group(group, folders)}".rstrip(": ")]
        )
        lines += [line for folder in folders for line in options(folder / group)]
    return "\n".join(lines)


def of_key(key: str, explanations: list[Explanation]) -> Iterator[str]:
    """One paragraph for all options that say the same of the key."""
    yield key
    alike: dict[tuple[str, str], list[Explanation]] = {}
    for each in explanations:
        alike.setdefault((each.meaning, each.takes), []).append(each)
    for (meaning, takes), same in alike.items():
        yield f"  {meaning}"
        yield f"  takes    {takes}"
        defaults: dict[str, list[str]] = {}
        for each in same:
            defaults.setdefault(each.default, []).append(each.choice)
        for default, choices in defaults.items():
            named = [choice for choice in choices if choice]
            yield f"  default  {default}{f'  with {chr(44).join(named)}' if named else ''}".replace(",", ", ")


def meaning_of_group(group: str, folders: Sequence[Path]) -> str:
    main = comments(folders[0] / "train.yaml")
    first, _, rest = group.partition("/")
    own = comments(folders[0] / first / "parts.yaml") if (folders[0] / first / "parts.yaml").is_file() else {}
    return main.get(f"defaults.{group}", own.get(f"defaults.{rest}", ""))


def nested_groups(folder: Path) -> Iterator[str]:
    for group in groups(folder):
        yield group
        yield from (str(path.relative_to(folder)) for path in (folder / group).rglob("*") if path.is_dir())


def index(folders: Sequence[Path]) -> dict[str, list[Explanation]]:
    """All explanations of each full key, from all files in the folders of configs."""
    main = folders[0]
    found: dict[str, list[Explanation]] = {}
    for key, explanation in [*of_section(main / "train.yaml", experiment(), ""), *every_option(folders)]:
        found.setdefault(key, []).append(explanation)
    parts = {path for folder in folders for path in nested_groups(folder)}
    groups_of = {path.replace("/", "."): meaning_of_group(path, folders) for path in parts}
    return {key: completed(explanations, groups_of.get(key, "")) for key, explanations in found.items()}


def completed(explanations: list[Explanation], of_group: str) -> list[Explanation]:
    """Without repetition. An option without a comment on its key gets that of another option, before a docstring."""
    common = of_group or next((each.meaning for each in explanations if each.meaning and each.is_comment), "")
    common_text = next((each.meaning for each in explanations if each.meaning), "")
    always = [each for each in explanations if not each.choice]
    return [
        each._replace(meaning=(each.meaning if each.is_comment else "") or common or each.meaning or common_text)
        for each in dict.fromkeys(always or explanations)
    ]


def of_section(file: Path, known: Signature, path: str) -> Iterator[tuple[str, Explanation]]:
    """The keys that every run has: those of train.yaml, and those of the sections that it chooses."""
    meanings, values = comments(file), content(file)
    entries = (entry for entry in yaml_values(file).get("defaults", []) if isinstance(entry, dict))
    chosen = {name: option for entry in entries for name, option in entry.items()}
    for name, parameter in known.parameters.items():
        section = dataclass_of(parameter)
        if section is not None:
            yield from of_section(file.parent / name / f"{chosen[name]}.yaml", signature(section), f"{name}.")
        elif name in values:
            yield f"{path}{name}", Explanation("", meanings.get(name, ""), takes(parameter), shown(values[name]))


def every_option(folders: Sequence[Path]) -> Iterator[tuple[str, Explanation]]:
    for folder in folders:
        for group in (group for group in nested_groups(folder) if not group.startswith(SETS)):
            for file in sorted((folder / group).glob("*.yaml")):
                yield from of_option(file, group)


def of_option(file: Path, group: str) -> Iterator[tuple[str, Explanation]]:
    match = PACKAGE.match(file.read_text(encoding="utf-8"))
    path = group.replace("/", ".") if match is None else match[1].replace("_global_", "")
    yield from of_values(content(file), comments_of(file), path, "", f"{group}={file.stem}")
    root = file.parents[group.count("/") + 1]
    for chosen, place in placed_groups(file):
        for option in sorted((root / chosen).glob("*.yaml")):
            at = f"{path}.{place}"
            yield from of_values(content(option), comments_of(option), at, "", f"{chosen}@{at}={option.stem}")


def placed_groups(file: Path) -> Iterator[tuple[str, str]]:
    """The groups that an option chooses within itself, and the keys there: ("decoding", "samples.writer.decoding")."""
    for entry in yaml_values(file).get("defaults", []):
        for name in entry if isinstance(entry, dict) else ():
            chosen, _, place = name.partition("@")
            if chosen.startswith("/") and place:
                yield chosen[1:], place


def of_values(
    values: Config, meanings: dict[str, str], path: str, within: str, choice: str
) -> Iterator[tuple[str, Explanation]]:
    """The keys of an option. `within` is the key of the values in their file, and `path` that of the file."""
    definition = definition_of(values)
    parameters = signature(definition).parameters if definition else {}
    for name in dict.fromkeys([*values, *parameters]):
        value, parameter = values.get(name, REQUIRED), parameters.get(name)
        place, full = f"{within}.{name}".lstrip("."), f"{path}.{within}.{name}".strip(".").replace("..", ".")
        if name == "_target_":
            meaning = meanings.get(place, "the class that is built")
            yield full, Explanation(choice, meaning, "the full name of a class", shown(value))
        is_absent = value is REQUIRED and (parameter is None or is_given(parameter))
        if name.startswith("_") or name == "defaults" or is_absent:
            continue
        if isinstance(value, dict) and value:
            yield from of_values(value, meanings, path, place, choice)
        text = (of_class(definition, name) if definition else "") or of_node(value)
        default = parameter.default if value is REQUIRED and parameter else value
        taken = takes(parameter) if parameter else kind(value)
        yield full, Explanation(choice, meanings.get(place) or text, taken, shown(default), place in meanings)


def is_given(parameter: Parameter) -> bool:
    """Whether code gives an argument, such as the vocabulary of an objective."""
    return parameter.default is REQUIRED


def definition_of(values: Config) -> Definition | None:
    try:
        return find(values["_target_"])
    except LookupError:
        return None


def content(file: Path) -> dict[str, Any]:
    """The values of an option, with those of the options of the same group in its defaults list."""
    found: dict[str, Any] = {}
    for place, other in inherits(file):
        found |= {place: content(other)} if place else content(other)
    return found | {name: value for name, value in yaml_values(file).items() if name != "defaults"}


def comments_of(file: Path) -> dict[str, str]:
    found: dict[str, str] = {}
    for place, other in inherits(file):
        found |= {f"{place}.{name}".lstrip("."): text for name, text in comments_of(other).items()}
    return found | comments(file)


def inherits(file: Path) -> Iterator[tuple[str, Path]]:
    """(key of its values, file) of each option that a file includes: `masked_tokens`, or `/objective@task: tokens`."""
    for each in yaml_values(file).get("defaults", ()):
        place, option = next(iter(each.items())) if isinstance(each, dict) else ("", each)
        inner = place.partition("@")[2]
        is_same = not place or (inner and place.lstrip("/").startswith(f"{file.parent.name}@"))
        if is_same and option not in ("_self_", "parts") and (other := file.with_stem(str(option))).is_file():
            yield inner, other


def yaml_values(file: Path) -> dict[str, Any]:
    values = yaml.safe_load(file.read_text(encoding="utf-8"))
    return values if isinstance(values, dict) else {}


def of_class(definition: Definition, name: str) -> str:
    """What the docstring of a class, or of its bases, says of an argument: the argument's line, or a sentence."""
    text = ast.get_docstring(definition.node) or "" if isinstance(definition.node, ast.ClassDef) else ""
    if match := re.search(rf"^ *{name}: (.+(?:\n {{4,}}.+)*)", text, re.MULTILINE):
        return " ".join(match[1].split())
    plain = " ".join(text.split())
    for sentence in re.split(r"(?<=[.?]) (?=[A-Z`])", plain):
        if f"`{name}`" in sentence or f"`{name}=" in sentence:
            return sentence
    return next((text for base in bases(definition) if (text := of_class(base, name))), "")


def of_node(value: object) -> str:
    """The first sentence on the class of a part."""
    definition = definition_of(value) if isinstance(value, dict) and "_target_" in value else None
    text = ast.get_docstring(definition.node) if definition and isinstance(definition.node, ast.ClassDef) else None
    return re.split(r"(?<=\.)\s", text)[0].replace("\n", " ") if text else ""


def takes(parameter: Parameter) -> str:
    if parameter.annotation is None:
        return "anything"
    text = described(parameter.annotation, parameter.module)
    choices = ", ".join(literals(parameter.annotation, parameter.module))
    words = [WORDS.get(each, each) for each in text.split(", or ")]
    words = ["a part, chosen by an option or a `_target_`" if is_part(each) else each for each in words]
    return ", or ".join(dict.fromkeys(words)).replace("a choice", choices)


def is_part(words: str) -> bool:
    return words[0].isupper() and words not in ("Any",)


def kind(value: object) -> str:
    name = KINDS.get(type(value), "a value")
    return WORDS.get(name, name)


def shown(value: object) -> str:
    if value is COMPUTED:
        return "the model's own"
    if value is REQUIRED or value == "???":
        return "none: it must be given"
    if isinstance(value, dict):
        return str(value.get("_target_", "names and values")).rpartition(".")[2]
    return "null" if value is None else str(value).lower() if isinstance(value, bool) else str(value)
