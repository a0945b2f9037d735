"""Which checkpoint a run continues from: the newest that is whole."""

import logging
import os
import platform
import re
import time
from contextlib import suppress
from pathlib import Path

from .checkpoint_files import checksum_of, problem_of
from .directory import RunDirectory

log = logging.getLogger(__name__)

STEP = re.compile(r"step-(\d+)\.ckpt")
WRITER = re.compile(r"\.(?P<pid>\d+)(@(?P<host>.*))?\.tmp")
ABANDONED = 3600  # seconds since another machine last wrote to a temporary file of its own


def newest(run: RunDirectory) -> Path | None:
    """The newest whole checkpoint, or None where the run has saved none yet.

    Newer ones are broken: each is named in a warning and set aside as *.broken, so that it does not count among those
    to keep. Raises ValueError where there are only broken ones, because a run must not start over unasked. Removes
    what killed saves have left.
    """
    if run.leads:
        remove_temporaries(run.checkpoints)
    broken: dict[Path, str] = {}
    for path in resumable(run.checkpoints):
        problem = problem_of(path)
        if problem is None:
            if run.leads:
                set_aside(broken, path)
            return path
        broken[path] = problem
    last = run.checkpoints / "last.ckpt"
    if not broken and (last.is_symlink() or last.exists()):
        broken[last] = "no step-<number>.ckpt lies beside it"
    if broken:
        raise ValueError(refusal(run, broken))
    return None


def resumable(folder: Path) -> list[Path]:
    """The checkpoints of a folder that hold more than weights, newest first."""
    return sorted((path for path in folder.glob("*.ckpt") if STEP.fullmatch(path.name)), key=step_of, reverse=True)


def step_of(path: Path) -> int:
    """The optimizer step at which a checkpoint was written, from its file's name; `last` is a link to such a file."""
    found = STEP.fullmatch(Path(os.path.realpath(path)).name)
    if found is None:
        raise ValueError(f"{path} does not say at which step it was written: name it step-<number>.ckpt")
    return int(found[1])


def set_aside(broken: dict[Path, str], whole: Path) -> None:
    for path, problem in broken.items():
        log.warning("%s is broken: %s. It is set aside, and the run goes on from %s", path, problem, whole.name)
        aside = path.with_name(path.name + ".broken")
        path.rename(aside)
        if checksum_of(path).is_file():
            checksum_of(path).rename(checksum_of(aside))


def refusal(run: RunDirectory, broken: dict[Path, str]) -> str:
    told = [f"  {path.name}: {problem}" for path, problem in broken.items()]
    return "\n".join(
        [
            f"run_dir={run.path} has checkpoints, and none of them is whole:",
            *told,
            "Copy good ones back, each with its .sha256 file; or give up what was trained: start in another run_dir",
        ]
    )


def remove_temporaries(folder: Path) -> None:
    """Those of processes that are gone."""
    for file in folder.glob(".*.tmp"):
        with suppress(FileNotFoundError):
            if is_abandoned(file):
                file.unlink()


def is_abandoned(file: Path) -> bool:
    """Of another machine only the time is known; this very process saves nothing before its training starts."""
    writer = WRITER.search(file.name)
    if writer is None:
        return False
    if writer["host"] not in (None, platform.node()):
        return time.time() - file.lstat().st_mtime > ABANDONED
    return int(writer["pid"]) == os.getpid() or not is_alive(int(writer["pid"]))


def is_alive(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True
