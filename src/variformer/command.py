"""The command that started this process: as a user types it, and as another process starts it."""

import os
import sys
from pathlib import Path

from .configs import REPOSITORY

MODULE = "variformer"


def full_command(name: str) -> list[str]:
    """`sys.argv` with the command's name, `train` or `evaluate`, which Hydra must not see there.

    The command line of a user's own script stays as it is.
    """
    program, *arguments = sys.argv
    return [program, *([name] if is_installed(program) else []), *arguments]


def restart_command(name: str) -> list[str]:
    """The words before the overrides that start the command `name` in a new process, from the same code."""
    program = sys.argv[0]
    if is_script_of_checkout(program, name):
        return [sys.executable, os.path.abspath(program)]
    if is_installed(program) and not is_module(program):
        return [sys.executable, os.path.abspath(program), name]
    return [sys.executable, "-m", MODULE, name]


def typed_command(name: str) -> list[str]:
    """The same words as a user types them: `python train.py`, `variformer train` or `python -m variformer train`."""
    program = sys.argv[0]
    if is_script_of_checkout(program, name):
        return ["python", program]
    return ["python", "-m", MODULE, name] if is_module(program) else [MODULE, name]


def is_script_of_checkout(program: str, name: str) -> bool:
    """Whether a program is train.py or evaluate.py at the top of a checkout."""
    return Path(program).is_file() and Path(program).resolve() == REPOSITORY / f"{name}.py"


def is_installed(program: str) -> bool:
    """Whether a program is the command `variformer`, or this package that `python -m` runs."""
    return is_module(program) or (Path(program).stem == MODULE and Path(program).is_file())


def is_module(program: str) -> bool:
    return Path(program).resolve() == Path(__file__).resolve().with_name("__main__.py")
