"""Where the models and tokenizers lie that a run builds on. Imports no torch, so that a wrong path shows at once."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

from ..config.composing.sources import config_of_run
from ..hub import locate, nearest


def source_config(source: str) -> dict[str, Any]:
    """The config of an earlier model. Imports torch only for one that is no run directory."""
    if not Path(source).expanduser().joinpath("config.yaml").is_file():
        from ..exchange import sources

        return sources.source_config(source)
    return config_of_run(source)


def find_teacher(config: dict[str, Any]) -> Path | None:
    """The folder of the teacher; None where the run has none. Raises FileNotFoundError that says how to make one."""
    source = config["objective"].get("teacher")
    if source is None:
        return None
    try:
        return locate(source)
    except FileNotFoundError as error:
        raise FileNotFoundError(
            f"objective.teacher={source}: {str(error).rstrip('.')}. To make a teacher, run `variformer train "
            "experiment=bert` (for images experiment=vit), and give the run directory that its last lines name"
        ) from None


def find_sources(config: dict[str, Any]) -> None:
    """Look up every model and tokenizer that a run builds on. Raises FileNotFoundError that names the key."""
    find_teacher(config)
    if config["resume"]:
        return  # it goes on from what it has
    if source := config.get("init_from"):
        named("init_from", source, locate)
    if path := (config.get("tokenizer") or {}).get("path"):
        named("tokenizer.path", path, find_tokenizer)


def find_tokenizer(path: str) -> Path:
    """The file of a tokenizer, or the folder that a name leads to."""
    file = Path(path).expanduser()
    if file.suffix == ".json" and not file.is_file():
        raise FileNotFoundError(f"there is no file {file.absolute()}; the nearest folder is {nearest(file.absolute())}")
    return file if file.is_file() else locate(path, weights=False)


def named(key: str, value: str, find: Callable[[str], Path]) -> None:
    """Call `find`. Raises FileNotFoundError that also names the key of the config."""
    try:
        find(value)
    except FileNotFoundError as error:
        raise FileNotFoundError(f"{key}={value}: {error}") from None
