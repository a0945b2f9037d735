"""What torch keeps of compilations for later runs, without what a killed one has left behind.

torch takes any file that is there for a finished one. Half a library then ends every later run that needs it with "file
too short", and half a precompiled header keeps all of them from compiling.
"""

import shutil
from contextlib import suppress
from pathlib import Path

from filelock import FileLock, Timeout

WORKSHOP = "_CxxBuild"  # ends the name of the folder in which a compiler works, and which goes when it is done
MADE = (".so", ".o", ".gch")


def remove_unfinished() -> None:
    """Remove what torch's compilers were killed at."""
    from torch._inductor.runtime.cache_dir_utils import cache_dir, default_cache_dir

    remove_in(Path(cache_dir()), "*/*.main")
    remove_in(Path(default_cache_dir(), "precompiled_headers"), "*")  # whatever TORCHINDUCTOR_CACHE_DIR says


def remove_in(cache: Path, pattern: str) -> None:
    """Remove the files whose workshop is still there, but not those that a compiler is writing just now."""
    for workshop in cache.glob(pattern + WORKSHOP):
        lock = FileLock(cache / "locks" / f"{workshop.name.partition('.')[0]}.lock", timeout=0)
        with suppress(Timeout), lock:  # torch's own, held while it compiles
            for suffix in MADE:
                workshop.with_name(workshop.name.removesuffix(WORKSHOP) + suffix).unlink(missing_ok=True)
            shutil.rmtree(workshop, ignore_errors=True)
