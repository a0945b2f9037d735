"""What torch keeps of compilations for later runs, without what a killed one has left behind.

torch takes any file that is there for a finished one. Half a library then ends every later run that needs it with "file
too short", and half a precompiled header keeps all of them from compiling. A compiler works in a build folder beside
the file that it writes, and torch removes that folder when the file is finished. Where one is left, the file is not.
"""

import shutil
from contextlib import suppress
from pathlib import Path

from filelock import FileLock, Timeout

BUILD_FOLDER = "_CxxBuild"  # ends the name of torch's build folders
SUFFIXES = (".so", ".o", ".gch")  # of the files that compilers write


def remove_unfinished() -> None:
    """Remove the files that a compiler was writing when it was killed."""
    from torch._inductor.runtime.cache_dir_utils import cache_dir, default_cache_dir

    remove_in(Path(cache_dir()), "*/*.main")
    remove_in(Path(default_cache_dir(), "precompiled_headers"), "*")  # TORCHINDUCTOR_CACHE_DIR does not move it


def remove_in(cache: Path, names: str) -> None:
    """Remove each file whose build folder is still there, unless a compiler is writing it just now."""
    for build in cache.glob(names + BUILD_FOLDER):
        lock = FileLock(cache / "locks" / f"{build.name.partition('.')[0]}.lock", timeout=0)
        with suppress(Timeout), lock:  # torch holds it while it compiles
            for suffix in SUFFIXES:
                build.with_name(build.name.removesuffix(BUILD_FOLDER) + suffix).unlink(missing_ok=True)
            shutil.rmtree(build, ignore_errors=True)
