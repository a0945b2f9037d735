"""How this process was started: as a user types it, and as another process starts the same command."""

import os
import sys
from pathlib import Path

from .configs import REPOSITORY

MODULE = "variformer"


def whole(name: str) -> list[str]:
    """`sys.argv` with the command's name, which Hydra must not see there; that of a user's own script as it is.

    `name` is train or evaluate.
    """
    program, *arguments = sys.argv
    return [program, *([name] if is_installed(program) else []), *arguments]


def again(name: str) -> list[str]:
    """The words before the overrides that start the command `name` as a process, from the same code as this one."""
    program = sys.argv[0]
    if is_door(program, name):
        return [sys.executable, os.path.abspath(program)]
    if is_installed(program) and not is_module(program):
        return [sys.executable, os.path.abspath(program), name]
    return [sys.executable, "-m", MODULE, name]


def shown(name: str) -> list[str]:
    """The same words as a user types them: `python train.py`, `variformer train` or `python -m variformer train`."""
    program = sys.argv[0]
    if is_door(program, name):
        return ["python", program]
    return ["python", "-m", MODULE, name] if is_module(program) else [MODULE, name]


def is_door(program: str, name: str) -> bool:
    """Whether a program is train.py or evaluate.py at the top of a checkout."""
    return Path(program).is_file() and Path(program).resolve() == REPOSITORY / f"{name}.py"


def is_installed(program: str) -> bool:
    """Whether a program is the command `variformer`, or this package that `python -m` runs."""
    return is_module(program) or (Path(program).stem == MODULE and Path(program).is_file())


def is_module(program: str) -> bool:
    return Path(program).resolve() == Path(__file__).resolve().with_name("__main__.py")
