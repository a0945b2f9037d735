"""The paths of a config as absolute ones, so that the config that a run keeps means the same in any folder.

A value is a path if the annotation of its parameter is a type of `variformer.paths`.
"""

import ast
import glob
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

from ..checking.defaults import experiment, signature_of
from ..classes.annotations import dataclass_of
from ..classes.signatures import Parameter, Signature, signature
from ..classes.targets import resolve
from ..tree import Config, Value

TYPES = "variformer.paths"
IS_LOCAL: dict[str, Callable[[str], bool]] = {  # name of the type: whether a text is a path and not a name
    "LocalPath": lambda path: True,
    "LocalPattern": lambda path: True,
    "PathOrName": os.path.exists,
    "FolderOrName": os.path.isdir,
}
Change = Callable[[str, str], str]  # (text, name of its type) -> the text that replaces it


def with_absolute_paths(config: Config, known: Signature | None = None) -> dict[str, Any]:
    """The same config with absolute paths. Relative ones start at the current folder, and ~ is the user's home.

    `known` are the keys of the config, by default those of an experiment.
    """
    return with_paths(config, absolute, known)


def absolute(text: str, kind: str) -> str:
    path = os.path.expanduser(text)
    unknown = not text or text == "???" or "${" in text
    if unknown or not IS_LOCAL[kind](path):
        return text
    if kind == "LocalPattern" and not os.path.isabs(path) and not os.path.exists(path):
        return str(Path(glob.escape(os.getcwd()), path))  # a folder above it may be called [x]
    return str(Path(path).absolute())


def with_paths(config: Config, change: Change, known: Signature | None = None) -> dict[str, Any]:
    """The same config, in which `change` has replaced every text that may be a path."""
    return in_node(config, change, known or experiment())


def in_node(node: Config, change: Change, known: Signature) -> Config:
    return {name: in_argument(each, change, known.parameters.get(name)) for name, each in node.items()}


def in_value(value: Value, change: Change) -> Value:
    if isinstance(value, list):
        return [in_value(each, change) for each in value]
    return in_node(value, change, signature_of(value)) if isinstance(value, dict) else value


def in_argument(value: Value, change: Change, parameter: Parameter | None) -> Value:
    kind = parameter and kind_of(parameter)
    if isinstance(value, str):
        return change(value, kind) if kind else value
    if kind and isinstance(value, list):
        return [in_argument(each, change, parameter) for each in value]
    section = dataclass_of(parameter) if parameter else None
    if section and isinstance(value, dict):
        return in_node(value, change, signature(section))
    return in_value(value, change)


def kind_of(parameter: Parameter) -> str | None:
    """The name of the type of path that a parameter takes; None if it takes no path."""
    names = [each.id for each in ast.walk(parameter.annotation or ast.Pass()) if isinstance(each, ast.Name)]
    return next((name for name in names if name in IS_LOCAL and is_ours(parameter.module, name)), None)


def is_ours(module: str, name: str) -> bool:
    definition = resolve(module, name)
    return definition is not None and definition.module == TYPES
