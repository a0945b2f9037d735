"""`variformer new`: a small project of a user's own, written from the templates in variformer/study."""

import importlib.util
import keyword
import re
import shutil
import sys
from pathlib import Path

TEMPLATE = Path(__file__).resolve().parents[1] / "study"
NAME = "my_study"  # what the templates call the package
TEXTS = {".py", ".yaml", ".toml", ".md"}
RENAMED = {"gitignore": ".gitignore"}  # a package of ours that had one would be packed without the files it names


def write_study(name: str, parent: Path | None = None) -> Path:
    """Write the project into the folder `name`. Raises ValueError for a name that no package may have, and
    FileExistsError where the folder holds something.
    """
    if problem := objection(name):
        raise ValueError(f"new: {problem}; choose another name, such as my_study")
    folder = (parent or Path.cwd()) / name
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise FileExistsError(f"new: {folder} is there already; choose another name, or remove it")
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
    """Why a package cannot have this name, if so."""
    if not re.fullmatch(r"[a-z][a-z0-9_]*", name) or keyword.iskeyword(name):
        return f"`{name}` is not the name of a package: small letters, digits and _, a letter first"
    if name in sys.stdlib_module_names or name in ("test", "tests", "conf", "src", "runs"):
        return f"`{name}` is taken, by Python or by a folder of the project"
    spec = importlib.util.find_spec(name)
    if spec is not None and spec.origin is not None:  # else it is a folder, such as an empty one of this name
        return f"`{name}` is the name of an installed module ({spec.origin})"
    return None
