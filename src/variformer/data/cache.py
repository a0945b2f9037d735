"""A folder for what is costly to make again: each entry is made once, whole or not at all."""

import fcntl
import hashlib
import json
import os
import shutil
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import Any

_STALE = 24 * 3600  # seconds after which a temporary folder must belong to a build that crashed
_TEMPORARY = ".building-"


def cache_folder(folder: str | Path | None = None) -> Path:
    """The given folder, else $VARIFORMER_CACHE, else ~/.cache/variformer."""
    chosen = folder or os.environ.get("VARIFORMER_CACHE") or Path.home() / ".cache" / "variformer"
    return Path(chosen).expanduser()


def digest_of(*parts: Any) -> str:
    """A sha256 of plain values (strings, numbers, lists, dicts)."""
    return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()


def build_once(final: Path, build: Callable[[Path], None]) -> Path:
    """Return the folder `final`, made by `build(temporary folder)` unless it is there already.

    On one machine the first process to ask builds and the others wait. Where two build at once all the same, each works
    in a folder of its own, and the first to rename it wins.
    """
    if not final.is_dir():
        final.parent.mkdir(parents=True, exist_ok=True)
        with one_at_a_time(final):
            if not final.is_dir():
                _build(final, build)
    return final


@contextmanager
def one_at_a_time(final: Path) -> Iterator[None]:
    """Wait while another process of this machine makes `final`. Does nothing in a folder that cannot be written to."""
    lock = final.with_name(f".{final.name}.lock")
    with ExitStack() as stack:
        with suppress(OSError):  # or on a file system without locks
            file = stack.enter_context(lock.open("w"))
            stack.callback(lock.unlink, missing_ok=True)
            fcntl.flock(file, fcntl.LOCK_EX)
        yield


def _build(final: Path, build: Callable[[Path], None]) -> None:
    _remove_stale(final.parent)
    temporary = Path(tempfile.mkdtemp(prefix=_TEMPORARY, dir=final.parent))
    try:
        build(temporary)
        os.chmod(temporary, 0o777 & ~_umask())  # mkdtemp's folders are for one user; a cache may be shared
        os.rename(temporary, final)
    except OSError:
        if not final.is_dir():  # a failure of our own, not the race lost
            raise
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


def _umask() -> int:
    """The process's umask, which can only be read by setting it."""
    mask = os.umask(0o022)
    os.umask(mask)
    return mask


def _remove_stale(folder: Path) -> None:
    for temporary in folder.glob(f"{_TEMPORARY}*"):
        try:
            newest = max(path.stat().st_mtime for path in (temporary, *temporary.rglob("*")))
        except FileNotFoundError:  # its owner has just finished
            continue
        if time.time() - newest > _STALE:
            shutil.rmtree(temporary, ignore_errors=True)


def file_digest(path: Path, cache: Path) -> str:
    """The sha256 of a file's content, remembered by (path, size, time of change)."""
    status = path.stat()
    state = [str(path.resolve()), status.st_size, status.st_mtime_ns]
    memory = cache / "digests" / f"{digest_of(state)}.txt"
    if memory.is_file():
        return memory.read_text()
    with open(path, "rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    memory.parent.mkdir(parents=True, exist_ok=True)
    handle, temporary = tempfile.mkstemp(dir=memory.parent)
    with open(handle, "w") as file:
        file.write(digest)
    os.replace(temporary, memory)
    return digest
