"""The overrides of a command line: how they are spelled, which were given, and how one changes a saved config."""

import re
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from ..errors import ConfigError, did_you_mean
from .sources import set_or_add_argument, takes_source

if TYPE_CHECKING:
    from hydra.core.override_parser.types import Override
    from omegaconf import DictConfig

ESCAPES = {r"\n": "\n", r"\t": "\t", r"\r": "\r"}
ESCAPE = re.compile(r"\\(\\[ntr])|(\\[ntr])")  # \\n is a backslash and an n
OPEN = r"data\.source\.columns\.\w+="  # keys that the user names
PIECES = re.compile(
    r"""(?P<single>'(?:\\.|[^'\\])*')"""
    r"""|(?P<double>"(?:\\.|[^"\\])*")"""
    r"""|(?P<bare>(?:\\.|[^'"\\,\[\]{}():])+)""",
    re.DOTALL,
)


def spelled(arguments: Sequence[str], folders: Sequence[Path]) -> list[str]:
    """A command line as Hydra accepts it. `folders` hold the configs."""
    arguments = [slashed(with_white_space(argument), folders) for argument in arguments]
    of_a_saved_run = any(re.match(r"repeat=(?!null$)|resume=(?i:true)$", argument) for argument in arguments)
    if of_a_saved_run:
        return [set_or_add(argument) for argument in arguments]
    arguments = [f"++{each}" if re.match(OPEN, each) else each for each in arguments]
    return [set_or_add_argument(each) for each in arguments] if takes_source(arguments, folders) else arguments


def set_or_add(argument: str) -> str:
    """`objective.rate=0.2` -> `++objective.rate=0.2`: a saved run may have keys that the default config lacks."""
    is_value = re.match(r"(?!hydra\.)\w+(\.\w+)+=", argument)
    return f"++{argument}" if is_value else argument


def slashed(argument: str, folders: Sequence[Path]) -> str:
    """`model.positions=rotary` -> `model/positions=rotary`, if model/positions/rotary.yaml exists; else unchanged.

    W&B's agents cannot write a slash. Hydra would refuse the first spelling, since the value of a group is no text.
    """
    key, _, option = argument.partition("=")
    group = key.replace(".", "/")
    files = (path for folder in folders for path in (folder / group).glob("*.yaml"))
    options = (path.stem for path in files) if "." in key else ()
    return f"{group}={option}" if option in options else argument


def with_white_space(argument: str) -> str:
    r"""`key=\n\n`, `key="\n\n"` -> the key and two line ends, as in YAML's double quotation marks; also \t and \r.

    Within single quotation marks, as in YAML, a backslash is a backslash. A value of only white space, or of a single
    character such as a semicolon, is put in quotation marks, since Hydra would not read it.
    """
    key, equals, value = argument.partition("=")
    if not equals or argument.startswith("-"):
        return argument
    if value and (value.isspace() or re.fullmatch(r"[^\w\s'\"\\]", value)):
        return f'{key}="{value}"'
    return f"{key}={PIECES.sub(unescaped, value)}"


def unescaped(piece: re.Match[str]) -> str:
    text = piece[0]
    if piece.lastgroup == "single" or not ESCAPE.search(text):
        return text
    decoded = ESCAPE.sub(lambda escape: escape[1] or ESCAPES[escape[2]], text)
    return decoded if piece.lastgroup == "double" else '"{}"'.format(decoded.strip(" "))  # as Hydra strips it


def given_overrides() -> list["Override"]:
    """The overrides of this command line, as Hydra parses them."""
    from hydra.core.hydra_config import HydraConfig
    from hydra.core.override_parser.overrides_parser import OverridesParser

    return OverridesParser.create().parse_overrides(as_written(HydraConfig.get().overrides.task))


def given_keys() -> list[str]:
    """The keys that this command line gives; none where Hydra has read no command line."""
    from hydra.core.hydra_config import HydraConfig

    return [each.key_or_group for each in given_overrides()] if HydraConfig.initialized() else []


def as_written(overrides: Sequence[str]) -> list[str]:
    """A list of overrides that Hydra has kept, with `${...}` as the user wrote it."""
    from omegaconf import ListConfig, OmegaConf

    kept = OmegaConf.to_container(overrides, resolve=False) if isinstance(overrides, ListConfig) else overrides
    return [str(each) for each in kept or ()]


def apply_override(saved: "DictConfig", override: "Override", source: Path) -> None:
    """Set one value of the config that was saved in `source`.

    Raises ConfigError where it has no such value, or where a group would have to be chosen again.
    """
    from omegaconf import OmegaConf

    key, value = override.key_or_group.replace("/", "."), override.value()
    missing = object()
    before = OmegaConf.select(saved, key, default=missing)
    if OmegaConf.is_dict(before) and value is not None:
        values = ", ".join(f"{key}.{name}" for name in before if not str(name).startswith("_"))
        raise ConfigError([f"{key}: the run in {source} has chosen this group; set single values of it ({values})"])
    if before is missing:
        path, _, last = key.rpartition(".")
        section = OmegaConf.select(saved, path) if path else saved
        known = [str(name) for name in section] if OmegaConf.is_dict(section) else []
        raise ConfigError([f"{key}: not a value of the run in {source}{did_you_mean(last, known)}"])
    OmegaConf.update(saved, key, value)
