"""Spellings of overrides that Hydra would refuse, and what it makes of them."""

import re
from collections.abc import Sequence
from pathlib import Path


def spelled(arguments: Sequence[str], conf: Path) -> list[str]:
    """The command line as Hydra takes it."""
    arguments = [slashed(argument, conf) for argument in arguments]
    of_a_saved_run = any(re.match(r"repeat=(?!null$)|resume=(?i:true)$", argument) for argument in arguments)
    return [added(argument) if of_a_saved_run else argument for argument in arguments]


def added(argument: str) -> str:
    """`objective.rate=0.2` -> `++objective.rate=0.2`: a saved run may have values that the default config has not."""
    is_value = re.match(r"(?!hydra\.)\w+(\.\w+)+=", argument)
    return f"++{argument}" if is_value else argument


def slashed(argument: str, conf: Path) -> str:
    """`model.positions=rotary` -> `model/positions=rotary`, where conf/model/positions/rotary.yaml is; else unchanged.

    For those who cannot write a slash, as W&B's agents cannot. Without this it would be an error: what a group holds is
    never a text.
    """
    key, _, option = argument.partition("=")
    group = key.replace(".", "/")
    options = (path.stem for path in (conf / group).glob("*.yaml")) if "." in key else ()
    return f"{group}={option}" if option in options else argument
