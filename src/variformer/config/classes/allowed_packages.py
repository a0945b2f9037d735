"""The user's own packages, whose classes a config may name because the user has allowed them.

There are three ways: the command line (`allow=my_study`) or `allow: [my_study]` in study.yaml of the study's conf/; the
environment (VARIFORMER_ALLOW=my_study,other); and an installed package's entry point. Nothing in a run directory allows
a package: neither its config, nor a conf/ or a package that was sent with it.

Allowing a package imports nothing. One of its classes is imported only when a config names it and all of the config is
checked. A package that is not installed is looked for in the study's folder and its src/. These go to the end of
sys.path, so that they hide nothing that is installed.
"""

import os
import re
import sys
from collections.abc import Iterable, Iterator
from functools import cache
from importlib import invalidate_caches
from pathlib import Path

from ...configs import in_a_run, packaged, study
from ..errors import did_you_mean
from .entry_points import installed, objections
from .modules import is_under, source_file

VARIABLE = "VARIFORMER_ALLOW"
FILE = "study.yaml"
NAME = re.compile(r"[A-Za-z][A-Za-z0-9_]*(\.[A-Za-z][A-Za-z0-9_]*)*", re.ASCII)
OURS = ("variformer", "hydra_plugins", "hydra", "omegaconf", "torch", "torchvision", "torchmetrics", "lightning")
WHERE = "start the command in the study's folder, or install the package: pip install -e FOLDER"

given: dict[str, None] = {}  # packages that the command line of this process allows
folders: dict[Path, None] = {}  # folders of configs that the command line of this process names


def allow(names: object, configs: Iterable[Path] = ()) -> list[str]:
    """Allow this process to use packages, and those that study.yaml in the folders `configs` names.

    `names` is a name or a list of names. Returns a line for each name that cannot be allowed.
    """
    words: list[object] = (names or []) if isinstance(names, list | None) else [names]
    folders.update((folder.absolute(), None) for folder in configs if not folder.samefile(packaged()))
    problems = [f"allow: {problem}" for name in words if (problem := objection(name))]
    given.update((str(name), None) for name in words if not objection(name))
    allowed()  # makes those that lie in the study's folder importable
    missing = [str(name) for name in words if not objection(name) and source_file(str(name)) is None]
    problems += [f"allow: there is no package `{name}`{did_you_mean(name, candidates())}; {WHERE}" for name in missing]
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
    names: list[object] = [*given, *(word.strip() for word in variable.split(",")), *installed()]
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


def objection(name: object) -> str | None:
    """Why a package can never be allowed; None where it can be."""
    if not isinstance(name, str) or not NAME.fullmatch(name):
        return f"{name!r} is not the name of a package"
    top = name.partition(".")[0]
    if top in sys.stdlib_module_names:
        return f"`{name}` belongs to Python: its classes are never allowed"
    if top in OURS:
        return f"`{name}` cannot be allowed: which classes of {top} a config may name is fixed"
    return None


def study_folders() -> list[Path]:
    """The folders of the user's configs: conf/ of the working directory, and those that the command line names."""
    own = study()
    return [folder for folder in dict.fromkeys([*([own] if own else []), *folders]) if not in_a_run(folder)]


def of_study(folder: Path) -> list[object]:
    """The packages that study.yaml allows. Raises nothing: where it cannot be read, the list holds a complaint."""
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
    """The folders where a study's package may lie: the study's folder and its src/."""
    bases = [Path(place)] if (place := working_directory()) else []
    for base in dict.fromkeys([*bases, *(folder.parent for folder in study_folders())]):
        yield from (base, base / "src")


def make_importable(package: str) -> None:
    """Let Python find a package of the study, unless a package of its name is installed.

    A folder without __init__.py, such as the study's own folder seen from the one above, is not taken for a package.
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
    """The packages that lie where a study's package may lie."""
    return sorted({file.parent.name for place in places() for file in place.glob("*/__init__.py")})


def how_to_allow(package: str) -> str:
    """What the user can do to allow a package; empty where nothing helps."""
    if not package or objection(package):
        return ""
    why = objections().get(package)
    return (
        f"it belongs to the package {package}, which runs its own code; if you trust it, give allow={package}, set "
        f"{VARIABLE}={package}, write `allow: [{package}]` into conf/{FILE}, or install it with an entry point in "
        f"variformer.targets{f' (its entry point is ignored: {why})' if why else ''}"
    )
