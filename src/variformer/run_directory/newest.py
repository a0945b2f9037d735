"""The checkpoint from which a run continues: the newest that is complete."""

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
    """The newest complete checkpoint; None where the run has saved none yet.

    Each newer one that is broken gets a warning and the ending .broken, so that it is not counted among those to keep.
    Raises ValueError where all are broken, because a run must not start over without being asked to.
    Removes what killed saves have left.
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
    """The checkpoints of a folder that hold more than weights, the newest first."""
    return sorted((path for path in folder.glob("*.ckpt") if STEP.fullmatch(path.name)), key=step_of, reverse=True)


def step_of(path: Path) -> int:
    """The optimizer step of a checkpoint, from the name of its file. `last` is a link to such a file."""
    found = STEP.fullmatch(Path(os.path.realpath(path)).name)
    if found is None:
        raise ValueError(f"{path} does not say at which step it was written: name it step-<number>.ckpt")
    return int(found[1])


def set_aside(broken: dict[Path, str], complete: Path) -> None:
    """Rename broken checkpoints, and warn about each."""
    for path, problem in broken.items():
        log.warning("%s is broken: %s. It is set aside, and the run goes on from %s", path, problem, complete.name)
        aside = path.with_name(path.name + ".broken")
        path.rename(aside)
        if checksum_of(path).is_file():
            checksum_of(path).rename(checksum_of(aside))


def refusal(run: RunDirectory, broken: dict[Path, str]) -> str:
    """A message that names each broken checkpoint and the cure."""
    problems = [f"  {path.name}: {problem}" for path, problem in broken.items()]
    return "\n".join(
        [
            f"run_dir={run.path} has checkpoints, and all of them are broken:",
            *problems,
            "Copy good ones back, each with its .sha256 file; or give up what was trained: start in another run_dir",
        ]
    )


def remove_temporaries(folder: Path) -> None:
    """Remove the temporary files of processes that have ended."""
    for file in folder.glob(".*.tmp"):
        with suppress(FileNotFoundError):
            if is_abandoned(file):
                file.unlink()


def is_abandoned(file: Path) -> bool:
    """Whether the process that wrote a temporary file has ended. For another machine only the file's age is known."""
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
