"""Whose classes a config may name besides ours: packages that the user who starts a command has allowed.

There are three ways: the command line (`allow=my_study`) or `allow: [my_study]` in study.yaml of the study's own conf/;
the environment (VARIFORMER_ALLOW=my_study,other); and an installed package's entry point. What a run directory holds
allows nothing: neither its config, nor a conf/ or a package that was sent within it.

To allow a package imports nothing. A class of it is imported once a config names it and the whole config is checked. A
package that is not installed is looked for in the study's folder and its src/, which then end the list of places that
Python imports from: they hide nothing that is installed.
"""

import os
import re
import sys
from collections.abc import Iterable, Iterator
from functools import cache
from importlib import invalidate_caches
from pathlib import Path
from typing import Any

from ...configs import in_a_run, packaged, study
from .installed import installed, objections
from .modules import is_under, source_file
from .nearest import hint

VARIABLE = "VARIFORMER_ALLOW"
FILE = "study.yaml"
NAME = re.compile(r"[A-Za-z][A-Za-z0-9_]*(\.[A-Za-z][A-Za-z0-9_]*)*", re.ASCII)
OURS = ("variformer", "hydra_plugins", "hydra", "omegaconf", "torch", "torchvision", "torchmetrics", "lightning")
WHERE = "start the command in the study's folder, or install the package: pip install -e FOLDER"

given: dict[str, None] = {}  # by the command line of this process
folders: dict[Path, None] = {}  # of a study's configs, which the command line of this process has named


def allow(names: Any, configs: Iterable[Path] = ()) -> list[str]:
    """Allow packages to this process, and those that study.yaml in the folders `configs` names.

    Returns a line for each name that cannot be allowed.
    """
    words = [names] if isinstance(names, str) else list(names or []) if isinstance(names, list | None) else [names]
    folders.update((folder.absolute(), None) for folder in configs if not folder.samefile(packaged()))
    problems = [f"allow: {problem}" for name in words if (problem := objection(name))]
    given.update((name, None) for name in words if not objection(name))
    allowed()  # finds those that lie in the study's folder
    missing = [name for name in words if not objection(name) and source_file(name) is None]
    problems += [f"allow: there is no package `{name}`{hint(name, candidates())}; {WHERE}" for name in missing]
    for name in missing:
        del given[name]
    for folder in study_folders():
        problems += [f"{folder / FILE}: {problem}" for name in of_study(folder) if (problem := objection(name))]
    return problems


def allowed() -> tuple[str, ...]:
    """The packages and modules that are allowed now."""
    return found(working_directory(), os.environ.get(VARIABLE, ""), tuple(given), tuple(folders))


@cache
def found(place: str, variable: str, given: tuple[str, ...], folders: tuple[Path, ...]) -> tuple[str, ...]:
    names = [*given, *(word.strip() for word in variable.split(",")), *installed()]
    names += [name for folder in study_folders() for name in of_study(folder)]
    usable = [name for name in dict.fromkeys(map(str, names)) if not objection(name)]
    usable = [n for n in usable if not any(n != other and is_under(n, other) for other in usable)]
    for name in usable:
        make_importable(name.partition(".")[0])
    return tuple(usable)


def working_directory() -> str:
    try:
        return os.getcwd()
    except OSError:  # it was removed
        return ""


def objection(name: Any) -> str | None:
    """Why a package can never be allowed, if so."""
    if not isinstance(name, str) or not NAME.fullmatch(name):
        return f"{name!r} is not the name of a package"
    top = name.partition(".")[0]
    if top in sys.stdlib_module_names:
        return f"`{name}` belongs to Python: its classes are never allowed"
    if top in OURS:
        return f"`{name}` needs no permission: what a config may name of {top} is fixed"
    return None


def study_folders() -> list[Path]:
    """Of configs: the working directory's own and those that the command line has named."""
    own = study()
    return [folder for folder in dict.fromkeys([*([own] if own else []), *folders]) if not in_a_run(folder)]


def of_study(folder: Path) -> list[Any]:
    """What study.yaml allows. Raises nothing: a file that is none allows nothing."""
    import yaml

    file = folder / FILE
    if not file.is_file() or in_a_run(file):
        return []
    try:
        names = (yaml.safe_load(file.read_text(encoding="utf-8")) or {}).get("allow") or []
    except (yaml.YAMLError, OSError, ValueError, AttributeError):
        return [f"{file.name} without `allow: [PACKAGE]`"]  # no name, so it is reported as such
    return names if isinstance(names, list) else [names]


def places() -> Iterator[Path]:
    """Where a study's package may lie: in the study's folder, or in its src/."""
    bases = [Path(place)] if (place := working_directory()) else []
    for base in dict.fromkeys([*bases, *(folder.parent for folder in study_folders())]):
        yield from (base, base / "src")


def make_importable(package: str) -> None:
    """Let Python find a package of the study, where none of its name is installed.

    A plain folder of that name, such as the study's own seen from the folder above, is no package.
    """
    if (found := source_file(package)) is not None and found.is_file():
        return
    for place in places():
        file = next((f for f in (place / package / "__init__.py", place / f"{package}.py") if f.is_file()), None)
        if file is not None and not in_a_run(file):
            sys.path.append(str(place))
            invalidate_caches()
            source_file.cache_clear()
            return


def candidates() -> list[str]:
    """The packages that lie where a study's may."""
    return sorted({file.parent.name for place in places() for file in place.glob("*/__init__.py")})


def how_to_allow(package: str) -> str:
    """What to do so that classes of a package can be named; empty where that is not possible."""
    if not package or objection(package):
        return ""
    why = objections().get(package)
    return (
        f"it is of the package {package}, which runs code of its own; where you trust that, give allow={package}, set "
        f"{VARIABLE}={package}, write `allow: [{package}]` into conf/{FILE}, or install it with an entry point in "
        f"variformer.targets{f' (its present one does not count: {why})' if why else ''}"
    )
