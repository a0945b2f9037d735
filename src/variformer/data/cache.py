"""A folder for results that take long to make. Each is made once, and is complete or not there."""

import errno
import hashlib
import json
import os
import shutil
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from uuid import uuid4

from filelock import FileLock

_STALE = 24 * 3600  # seconds after which a temporary folder must belong to a build that crashed
_TEMPORARY = ".building-"
_UNWRITABLE = (errno.EACCES, errno.EPERM, errno.EROFS, errno.EEXIST, errno.ENOTDIR)  # the last two: a file lies there


def cache_folder(folder: str | Path | None = None) -> Path:
    """The given folder, else $VARIFORMER_CACHE, else ~/.cache/variformer."""
    chosen = folder or os.environ.get("VARIFORMER_CACHE") or Path.home() / ".cache" / "variformer"
    return Path(chosen).expanduser()


def digest_of(*parts: object) -> str:
    """A sha256 of plain values (strings, numbers, lists, dicts)."""
    return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()


def build_once(final: Path, build: Callable[[Path], None]) -> Path:
    """Return the folder `final`, made by `build(temporary folder)` unless it is there already.

    On one machine the first process to ask builds and the others wait. Where two build at once all the same, each works
    in a folder of its own, and the first to rename it wins. Permissions follow the umask, so that users can share a
    cache. Raises PermissionError if something must be made in a folder that cannot be written to.
    """
    if not final.is_dir():
        make_folder(final.parent)
        with one_at_a_time(final):
            if not final.is_dir():
                _build(final, build)
    return final


def make_folder(folder: Path, settings: str = "VARIFORMER_CACHE (or data.cache)", exist_ok: bool = True) -> None:
    """Make a folder of the cache. Raises PermissionError, which names the `settings` that choose another place."""
    try:
        folder.mkdir(parents=True, exist_ok=exist_ok)
    except OSError as error:
        if error.errno not in _UNWRITABLE:
            raise
        cure = f"set {settings} to a folder that is writable"
        raise PermissionError(f"cannot write to the cache in {folder.parent} ({error.strerror}): {cure}") from None


@contextmanager
def one_at_a_time(final: Path) -> Iterator[None]:
    """Wait while another process of this machine makes `final`. Does nothing in a folder that cannot be written to."""
    lock = final.with_name(f".{final.name}.lock")
    with ExitStack() as stack:
        with suppress(OSError):  # or on a file system without locks
            stack.enter_context(FileLock(lock, fallback_to_soft=False))
            stack.callback(_remove, lock)
        yield


def _build(final: Path, build: Callable[[Path], None]) -> None:
    _remove_stale(final.parent)
    temporary = final.parent / f"{_TEMPORARY}{uuid4().hex}"
    make_folder(temporary, exist_ok=False)
    try:
        build(temporary)
        os.rename(temporary, final)
    except OSError:
        if not final.is_dir():  # a failure of our own, not the race lost
            raise
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


def _remove(file: Path) -> None:
    with suppress(OSError):  # of another user, in a folder where only an owner may remove files
        file.unlink(missing_ok=True)


def _remove_stale(folder: Path) -> None:
    for temporary in folder.glob(f"{_TEMPORARY}*"):
        try:
            newest = max(path.stat().st_mtime for path in (temporary, *temporary.rglob("*")))
        except OSError:  # its owner has just finished, or is another user
            continue
        if time.time() - newest > _STALE:
            shutil.rmtree(temporary, ignore_errors=True)


def file_digest(path: Path, cache: Path) -> str:
    """The sha256 of a file's content, remembered by (path, size, time of change) where the cache can be written to."""
    status = path.stat()
    state = [str(path.resolve()), status.st_size, status.st_mtime_ns]
    memory = cache / "digests" / f"{digest_of(state)}.txt"
    with suppress(OSError):  # nothing is remembered, or another user's file is not for all to read
        return memory.read_text()
    with open(path, "rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    with suppress(OSError):  # a cache that is only read
        _remember(memory, digest)
    return digest


def _remember(memory: Path, digest: str) -> None:
    memory.parent.mkdir(parents=True, exist_ok=True)
    temporary = memory.with_suffix(f".{uuid4().hex}")
    try:
        temporary.write_text(digest)
        os.replace(temporary, memory)
    finally:
        _remove(temporary)
