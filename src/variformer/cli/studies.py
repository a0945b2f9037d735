"""`variformer new`: a small project of a user's own, written from the templates in variformer/study."""

import importlib.util
import keyword
import re
import shutil
import sys
from pathlib import Path

TEMPLATE = Path(__file__).resolve().parents[1] / "study"
NAME = "my_study"  # the name of the package in the templates
TEXTS = {".py", ".yaml", ".toml", ".md"}
RENAMED = {"gitignore": ".gitignore"}  # under its real name, it would keep files out of the wheel


def write_study(name: str, parent: Path | None = None) -> Path:
    """Write the project into the folder `name`.

    Raises ValueError if a package cannot have this name. Raises FileExistsError if the folder is not empty.
    """
    if problem := objection(name):
        raise ValueError(f"new: {problem}; choose another name, such as my_study")
    folder = (parent or Path.cwd()) / name
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise FileExistsError(f"new: {folder} already exists; choose another name, or remove it")
    for source in sorted(path for path in TEMPLATE.rglob("*") if path.is_file() and "__pycache__" not in path.parts):
        target = folder / renamed(source.relative_to(TEMPLATE), name)
        target.parent.mkdir(parents=True, exist_ok=True)
        if source.suffix in TEXTS:
            target.write_text(source.read_text(encoding="utf-8").replace(NAME, name), encoding="utf-8")
        else:
            shutil.copyfile(source, target)
    return folder


def renamed(path: Path, name: str) -> Path:
    return Path(*(RENAMED.get(part, part.replace(NAME, name)) for part in path.parts))


def objection(name: str) -> str | None:
    """Why a package cannot have this name; None if it can."""
    if not re.fullmatch(r"[a-z][a-z0-9_]*", name) or keyword.iskeyword(name):
        return f"`{name}` cannot name a package, which has lower-case letters, digits and _, and begins with a letter"
    if name in sys.stdlib_module_names or name in ("test", "tests", "conf", "src", "runs"):
        return f"`{name}` is already a name of Python or of a folder in the project"
    spec = importlib.util.find_spec(name)
    if spec is not None and spec.origin is not None:  # else it is a folder, such as an empty one of this name
        return f"`{name}` is already the name of an installed module ({spec.origin})"
    return None
