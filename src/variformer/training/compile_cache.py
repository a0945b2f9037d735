"""What torch keeps of compilations for later runs, without what a killed one has left behind.

torch takes any file that is there for a finished one. Half a library then ends every later run that needs it with "file
too short", and half a precompiled header keeps all of them from compiling.
"""

import fcntl
import os
import shutil
import struct
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

ELF = b"\x7fELF"
WORKSHOP = "_CxxBuild"  # ends the name of the folder in which a compiler works, and which goes when it is done


def folder() -> Path:
    from torch._inductor.runtime.cache_dir_utils import cache_dir

    return Path(cache_dir())


def remove_unfinished(cache: Path) -> None:
    """Remove half-written libraries and headers, but not those that a compiler is writing just now."""
    for library in cache.glob("*/*.main.so"):
        if not is_whole(library):
            with locked(cache / "locks", library) as free:
                if free and not is_whole(library):
                    library.unlink(missing_ok=True)
    headers = cache / "precompiled_headers"
    for workshop in headers.glob(f"*{WORKSHOP}"):
        header = workshop.with_name(workshop.name.removesuffix(WORKSHOP) + ".gch")
        with locked(headers / "locks", header) as free:
            if free and workshop.exists():
                header.unlink(missing_ok=True)
                shutil.rmtree(workshop, ignore_errors=True)


@contextmanager
def locked(locks: Path, file: Path) -> Iterator[bool]:
    """Hold the lock under which torch writes `file`; False where another process holds it."""
    locks.mkdir(exist_ok=True)
    with (locks / f"{file.name.partition('.')[0]}.lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            yield False
        else:
            yield True


def is_whole(library: Path) -> bool:
    """Whether a shared library reaches to the table at its end; of other formats than Linux's it must not be empty."""
    try:
        with library.open("rb") as file:
            header, size = file.read(64), os.fstat(file.fileno()).st_size
        if len(header) < 64:
            return False
        if header[:4] != ELF:
            return header.strip(b"\0") != b""
        (table,) = struct.unpack_from("<Q", header, 40)
        width, entries = struct.unpack_from("<HH", header, 58)
        return table > 0 and size >= table + width * entries
    except FileNotFoundError:  # another process has removed it
        return True
