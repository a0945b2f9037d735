"""What torch keeps of compilations for later runs, without what a killed one has left behind.

torch takes any file that is there for a finished one. Half a library then ends every later run that needs it with "file
too short", and half a precompiled header keeps all of them from compiling. A compiler works in a build folder beside
the file that it writes, and torch removes that folder when the file is finished. Where one is left, the file is not.
"""

import shutil
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path

from filelock import FileLock, Timeout

BUILD_FOLDER = "_CxxBuild"  # ends the name of torch's build folders
SUFFIXES = (".so", ".o", ".gch")  # of the files that compilers write


def remove_unfinished() -> None:
    """Remove the files that a compiler was writing when it was killed."""
    from torch._inductor.runtime.cache_dir_utils import cache_dir, default_cache_dir

    headers = Path(default_cache_dir(), "precompiled_headers")  # TORCHINDUCTOR_CACHE_DIR does not move it
    remove(Path(cache_dir()).glob(f"??/*{BUILD_FOLDER}"), Path(cache_dir(), "locks"))
    remove(headers.glob(f"*{BUILD_FOLDER}"), headers / "locks")


def remove(builds: Iterable[Path], locks: Path) -> None:
    """Remove the files of these build folders, except those that a compiler is writing just now."""
    for build in builds:
        name = build.name.removesuffix(BUILD_FOLDER)
        key, _, kind = name.partition(".")
        if kind == "optimized":  # written under the lock of another file
            continue
        with suppress(Timeout), FileLock(locks / f"{key}.lock", timeout=0):  # torch holds it while it compiles
            for suffix in SUFFIXES:
                build.with_name(name + suffix).unlink(missing_ok=True)
            shutil.rmtree(build, ignore_errors=True)
