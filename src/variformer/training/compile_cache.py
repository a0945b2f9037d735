"""Remove from torch's cache of compilations what a killed compiler left unfinished.

torch takes every file in its cache for a finished one. An unfinished library ends every later run that needs it with
"file too short", and an unfinished precompiled header keeps all later runs from compiling.
"""

import shutil
from contextlib import suppress
from pathlib import Path

from filelock import FileLock, Timeout

WORK_FOLDER = "_CxxBuild"  # the end of the name of a compiler's folder, which the compiler removes when it is done
MADE = (".so", ".o", ".gch")


def remove_unfinished() -> None:
    """Remove the files that torch's compilers were writing when they were killed."""
    from torch._inductor.runtime.cache_dir_utils import cache_dir, default_cache_dir

    remove_in(Path(cache_dir()), "*/*.main")
    remove_in(Path(default_cache_dir(), "precompiled_headers"), "*")  # whatever TORCHINDUCTOR_CACHE_DIR says


def remove_in(cache: Path, pattern: str) -> None:
    """Remove files whose work folder is still there, but not those that a compiler is writing at this moment."""
    for folder in cache.glob(pattern + WORK_FOLDER):
        lock = FileLock(cache / "locks" / f"{folder.name.partition('.')[0]}.lock", timeout=0)
        with suppress(Timeout), lock:  # torch's own, held while it compiles
            for suffix in MADE:
                folder.with_name(folder.name.removesuffix(WORK_FOLDER) + suffix).unlink(missing_ok=True)
            shutil.rmtree(folder, ignore_errors=True)
