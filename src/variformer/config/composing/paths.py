"""The paths of a config as absolute ones, so that the config that a run keeps means the same from any folder.

Which values are paths follows from the annotations of the parameters that take them: those of `variformer.paths`.
"""

import ast
import glob
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

from ..checking.check import experiment, signature_of
from ..classes.signatures import Parameter, Signature, signature
from ..classes.targets import resolve
from ..classes.values import dataclass_of

TYPES = "variformer.paths"
IS_LOCAL: dict[str, Callable[[str], bool]] = {  # by the name of the type: whether a text is a path, and not a name
    "LocalPath": lambda path: True,
    "LocalPattern": lambda path: True,
    "PathOrName": os.path.exists,
    "FolderOrName": os.path.isdir,
}
Change = Callable[[str, str], str]  # (text, name of its type) -> the text that takes its place


def anchored(config: dict[str, Any], known: Signature | None = None) -> dict[str, Any]:
    """The same config with absolute paths; relative ones start at the current folder, and ~ is the user's own.

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


def with_paths(config: dict[str, Any], change: Change, known: Signature | None = None) -> dict[str, Any]:
    """The same config with every text that may be a path changed."""
    return in_node(config, change, known or experiment())


def in_node(value: Any, change: Change, known: Signature | None = None) -> Any:
    if isinstance(value, list):
        return [in_node(each, change) for each in value]
    if not isinstance(value, dict):
        return value
    parameters = (known or signature_of(value)).parameters
    return {name: in_argument(each, change, parameters.get(name)) for name, each in value.items()}


def in_argument(value: Any, change: Change, parameter: Parameter | None) -> Any:
    kind = parameter and kind_of(parameter)
    if isinstance(value, str):
        return change(value, kind) if kind else value
    if kind and isinstance(value, list):
        return [in_argument(each, change, parameter) for each in value]
    section = dataclass_of(parameter) if parameter else None
    return in_node(value, change, signature(section) if section else None)


def kind_of(parameter: Parameter) -> str | None:
    """The name of the type of path that a parameter takes; None where it takes none."""
    names = [each.id for each in ast.walk(parameter.annotation or ast.Pass()) if isinstance(each, ast.Name)]
    return next((name for name in names if name in IS_LOCAL and is_ours(parameter.module, name)), None)


def is_ours(module: str, name: str) -> bool:
    definition = resolve(module, name)
    return definition is not None and definition.module == TYPES
