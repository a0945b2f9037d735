"""Spellings of overrides that Hydra would refuse, and what it makes of them."""

import re
from collections.abc import Sequence
from pathlib import Path

ESCAPES = {r"\n": "\n", r"\t": "\t", r"\r": "\r"}
ESCAPE = re.compile(r"\\(\\[ntr])|(\\[ntr])")  # \\n is a backslash and an n
PIECES = re.compile(
    r"""(?P<single>'(?:\\.|[^'\\])*')"""
    r"""|(?P<double>"(?:\\.|[^"\\])*")"""
    r"""|(?P<bare>(?:\\.|[^'"\\,\[\]{}():])+)""",
    re.DOTALL,
)


def spelled(arguments: Sequence[str], folders: Sequence[Path]) -> list[str]:
    """The command line as Hydra takes it, where `folders` hold the configs."""
    arguments = [slashed(with_white_space(argument), folders) for argument in arguments]
    of_a_saved_run = any(re.match(r"repeat=(?!null$)|resume=(?i:true)$", argument) for argument in arguments)
    return [added(argument) if of_a_saved_run else argument for argument in arguments]


def added(argument: str) -> str:
    """`objective.rate=0.2` -> `++objective.rate=0.2`: a saved run may have values that the default config has not."""
    is_value = re.match(r"(?!hydra\.)\w+(\.\w+)+=", argument)
    return f"++{argument}" if is_value else argument


def slashed(argument: str, folders: Sequence[Path]) -> str:
    """`model.positions=rotary` -> `model/positions=rotary`, where model/positions/rotary.yaml is; else unchanged.

    For those who cannot write a slash, as W&B's agents cannot. Without this it would be an error: what a group holds is
    never a text.
    """
    key, _, option = argument.partition("=")
    group = key.replace(".", "/")
    files = (path for folder in folders for path in (folder / group).glob("*.yaml"))
    options = (path.stem for path in files) if "." in key else ()
    return f"{group}={option}" if option in options else argument


def with_white_space(argument: str) -> str:
    r"""`key=\n\n`, `key="\n\n"` -> the key and two line ends, as in YAML's double quotation marks; also \t and \r.

    Within single quotation marks, as in YAML, a backslash is a backslash. A value of white space alone, or of a single
    sign such as a semicolon, is put in quotation marks, since Hydra would not read it.
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
