"""What several commands share: options, and errors that a user can correct."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Annotated

import typer

from ..config import ConfigError
from ..config.classes.allowed_packages import allow

ALLOW = typer.Option("--allow", help="A package whose classes the run may name: your own, or one that you trust.")
Checkpoint = Annotated[str, typer.Option(help="last, best, or the name of a file in the run's checkpoints/.")]


@contextmanager
def user_errors() -> Iterator[None]:
    """Print only the message of an error that a user can correct, and exit with 2."""
    try:
        yield
    except (OSError, ValueError, ImportError) as error:
        print(error, file=sys.stderr)
        raise typer.Exit(2) from None


def permit(packages: list[str] | None) -> None:
    """Allow packages. Raises ConfigError for one that cannot be allowed."""
    if problems := allow(packages):
        raise ConfigError(problems)
