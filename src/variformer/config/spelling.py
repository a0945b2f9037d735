"""Another spelling for the choice of a config group, for those who cannot write a slash, as W&B's agents cannot."""

from collections.abc import Sequence
from pathlib import Path


def with_slashes(arguments: Sequence[str], conf: Path) -> list[str]:
    """`model.positions=rotary` -> `model/positions=rotary`, where conf/model/positions/rotary.yaml is; else unchanged.

    Without this it would be an error: what a group holds is never a text.
    """
    return [slashed(argument, conf) for argument in arguments]


def slashed(argument: str, conf: Path) -> str:
    key, _, option = argument.partition("=")
    group = key.replace(".", "/")
    options = (path.stem for path in (conf / group).glob("*.yaml")) if "." in key else ()
    return f"{group}={option}" if option in options else argument
