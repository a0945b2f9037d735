"""The folder of a run, before the run begins: whether it can be made, and its removal where the run never begins."""

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

from ...processes import leads

LONGEST = 255  # bytes of a file's name, on the file systems in use
HYDRAS_OWN = {".hydra", ".hydra_resumed", "train.log"}  # what Hydra writes


def name_problems(name: object) -> Iterator[str]:
    """Why a run's name cannot be the name of a folder."""
    name = "" if name is None else str(name)
    if len(name.encode()) > LONGEST:
        yield f"name: has {len(name.encode())} bytes, but a folder's name has at most {LONGEST}; give a shorter name"
    elif "/" in name or name.startswith(".") or not name.isprintable() or not name.strip():
        yield f"name: {name!r} cannot name a folder; give letters and digits, without a slash or a leading dot"


def folder_problems(folder: Path) -> Iterator[str]:
    """Make the folder of a run, or say why that cannot be done."""
    if not leads():
        return
    try:
        folder.mkdir(parents=True, exist_ok=True)
        if not os.access(folder, os.W_OK):
            raise PermissionError(None, "no permission to write")
    except OSError as error:
        yield f"run_dir: {folder} cannot be used ({error.strerror}); set run_dir to a folder that you may write to"


def discard(run_dir: Path) -> None:
    """Remove the folder of a run that never began, if only Hydra has written to it."""
    if leads() and run_dir.is_dir() and not contents(run_dir):
        shutil.rmtree(run_dir)
        parent = run_dir.absolute().parent
        if not any(parent.iterdir()) and parent != Path.cwd():
            parent.rmdir()


def contents(folder: Path) -> list[str]:
    """The names in a folder, without what Hydra writes."""
    return [path.name for path in folder.iterdir() if path.name not in HYDRAS_OWN]
