"""Where the source of a module lies, found without importing it."""

import importlib.util
import re
from functools import cache
from pathlib import Path


@cache
def source_file(module: str) -> Path | None:
    """The file or folder of a module. Python looks up only the top package and does not run it."""
    top, *below = module.split(".")
    spec = importlib.util.find_spec(top)
    if spec is None:
        return None
    if not spec.submodule_search_locations:  # a single file
        return Path(spec.origin) if spec.has_location and spec.origin and not below else None
    path = Path(spec.submodule_search_locations[0], *below)
    candidates = (path / "__init__.py", path.with_suffix(".py"), path)  # a folder without __init__.py is one too
    return next((each for each in candidates if each.exists()), None)


def submodules(package: str) -> list[str]:
    file = source_file(package)
    folder = file.parent if file is not None and file.name == "__init__.py" else file
    if folder is None or not folder.is_dir():
        return []
    return sorted(path.stem for path in folder.iterdir() if re.match("[a-z]", path.name))


def is_under(name: str, prefix: str) -> bool:
    return name == prefix or name.startswith(prefix + ".")
