"""The files of code that go along with a model."""

from collections import Counter
from collections.abc import Iterable, Mapping
from hashlib import sha256
from importlib.resources import files
from pathlib import Path
from typing import Any

from ..config.classes.targets import OWN
from .flattening import file_names, flattened
from .heads import Head
from .sources import RANGES, class_of, collect, is_installed, targets, top

Node = dict[str, Any]  # of a config: `_target_` and arguments
REMOTE = files(__package__) / "remote"
MARK = "when this model was exported"  # in the first lines of every file of code
CONFIGURATION = "configuration_variformer"
PARTS = "parts"  # the file that says which class each `_target_` names


def code_of(node: Node, head: Head, stamp: str) -> dict[str, str]:
    """The files of code, by name: `remote/` and the model's parts, which import each other, torch and transformers."""
    modules = collect(dict.fromkeys(targets(node)))
    names = file_names(modules, taken=[PARTS, *(file.name.removesuffix(".py") for file in REMOTE.iterdir())])
    shipped = {name: (REMOTE / f"{name}.py").read_text(encoding="utf-8") for name in head.needs}
    code = {name: f"{header(f'{__package__}.remote.{name}', stamp)}\n{text}" for name, text in shipped.items()}
    code |= {names[module]: f"{header(module, stamp)}\n{flattened(module, names)}" for module in modules}
    code[PARTS] = parts_of(node, names)
    for entry in head.entries:
        code[entry] += copied(name for name in code if name != entry and name not in head.entries[1:])
    code[CONFIGURATION] = f"# The code of this folder: {digest(code)}\n{code[CONFIGURATION]}"
    return {f"{name}.py": text for name, text in code.items()}


def copied(names: Iterable[str]) -> str:
    """Lines that change nothing but which files transformers copies: it does not see `from . import x`."""
    lines = [f"from .{name} import __name__ as _  # noqa: E402, F401" for name in names]
    return "\n".join(["", "# So that transformers copies these files together with this one.", *lines, ""])


def digest(code: Mapping[str, str]) -> str:
    """A sum of all files, to be in that of the config's class: transformers keeps classes of models by that class, and
    would take those of another folder of the same name whose file is the same.
    """
    return sha256("".join(code[name] for name in sorted(code)).encode()).hexdigest()


def parts_of(node: Node, names: Mapping[str, str]) -> str:
    """The file that says which class each `_target_` of the config names."""
    called = {target: target for target in dict.fromkeys(targets(node))}
    classes = {target: class_of(target) for target in called if not is_installed(target)}
    often = Counter(place.name for place in set(classes.values()))
    imports = set()
    for target, place in classes.items():
        file = names[place.module]
        called[target] = place.name if often[place.name] == 1 else f"{file}_{place.name}"
        imports.add(f"from .{file} import {place.name}" + (f" as {called[target]}" if often[place.name] > 1 else ""))
    text = [f"# Written {MARK}.", '"""The classes that the node in config.json names."""']
    text += ["import torch"] if any(is_installed(target) for target in called) else []
    rows = [f'    "{target}": {name},' for target, name in called.items()]
    return "\n\n".join([*text, "\n".join(sorted(imports)), "\n".join(["PARTS = {", *rows, "}"])]) + "\n"


def header(module: str, stamp: str) -> str:
    """The first lines of a file: what it is and where it came from."""
    if top(module) != OWN:
        return f"# {module}, but for imports as it was {MARK} with Variformer {stamp}.\n"
    changed = "imports and types" if module == RANGES else "imports"
    return (
        f"# {module} of Variformer {stamp}.\n"
        "# Licence: Apache-2.0, https://www.apache.org/licenses/LICENSE-2.0\n"
        f"# Only {changed} were changed {MARK}.\n"
    )


def remove_code(folder: Path) -> None:
    """The files of code that an earlier export has written there."""
    for file in folder.glob("*.py"):
        if any(MARK in line for line in file.read_text(encoding="utf-8", errors="replace").splitlines()[:4]):
            file.unlink()
