"""Whether the folder of a run can be made, asked before Hydra makes it."""

import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from hydra.experimental.callback import Callback

from ..launch import leads

LONGEST = 255  # bytes of a file's name, on the file systems in use


class FolderCheck(Callback):
    """Hydra's `callbacks` name it. It ends the process with code 2, and a line that says what to mend."""

    def on_run_start(self, config: Any, **_: Any) -> None:
        problems = list(name_problems(config.get("name"))) or list(folder_problems(Path(config.hydra.run.dir)))
        if problems:
            print(*problems, sep="\n", file=sys.stderr)
            raise SystemExit(2)


def name_problems(name: Any) -> Iterator[str]:
    """What keeps a run's name from being that of a folder."""
    name = "" if name is None else str(name)
    if len(name.encode()) > LONGEST:
        yield f"name: has {len(name.encode())} bytes, but a folder's name has {LONGEST} at most; give a shorter one"
    elif "/" in name or name.startswith(".") or not name.isprintable() or not name.strip():
        yield f"name: {name!r} is no name of a folder: a slash, a leading dot, an unseen character or nothing at all"


def folder_problems(folder: Path) -> Iterator[str]:
    """Makes the folder, or says why that cannot be."""
    if not leads():
        return
    try:
        folder.mkdir(parents=True, exist_ok=True)
        if not os.access(folder, os.W_OK):
            raise PermissionError(None, "no permission to write")
    except OSError as error:
        yield f"run_dir: {folder} cannot be used ({error.strerror}); give run_dir= a folder that you may write to"
