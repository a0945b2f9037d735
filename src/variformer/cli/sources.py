"""Where a run that builds on another finds it. Imports no torch, so that a wrong path is told at once."""

from pathlib import Path
from typing import Any

from ..hub import locate


def find_teacher(config: dict[str, Any]) -> Path | None:
    """The teacher's folder, where the run has a teacher. Raises FileNotFoundError that says how to make one."""
    source = config["objective"].get("teacher")
    if source is None:
        return None
    try:
        return locate(source)
    except FileNotFoundError as error:
        raise FileNotFoundError(
            f"objective.teacher={source}: {str(error).rstrip('.')}. To make a teacher, run `python train.py "
            "experiment=bert` (for images experiment=vit), and give the run directory that its last lines name"
        ) from error
