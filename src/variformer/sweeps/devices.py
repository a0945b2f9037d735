"""Devices for trials that share a machine: each gets its own GPUs, or a part of the cores."""

import contextlib
import os
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from itertools import islice
from pathlib import Path
from typing import Literal

from .directory import locked

POLL = 0.5  # seconds


@contextlib.contextmanager
def reserved(
    gpus: int | Literal["auto"] | None, at_once: int, stopped: Callable[[], object] = lambda: None
) -> Iterator[dict[str, str]]:
    """Environment variables that give a trial `gpus` GPUs as soon as they are free, or its part of the cores.

    With None the trial may use all of the machine. `auto` means one GPU, and 0 means none. If `stopped` returns a
    signal, the waiting ends, and the trial must not start.
    """
    count, there = 1 if gpus == "auto" else gpus, [] if not gpus else visible()
    if count is None or not there:
        yield {} if count is None else {"OMP_NUM_THREADS": str(max(1, cores() // at_once))}
        return
    if not 0 < count <= len(there):
        raise ValueError(f"trainer.devices={count}, but this machine has {len(there)} GPU(s) for trials")
    with contextlib.ExitStack() as stack:
        yield {"CUDA_VISIBLE_DEVICES": ",".join(take(count, there, stack, stopped))}


def take(
    count: int, there: list[str], stack: contextlib.ExitStack, stopped: Callable[[], object] = lambda: None
) -> list[str]:
    """Wait for `count` free GPUs. They stay locked, also for other sweeps of this machine, until `stack` closes."""
    while stopped() is None:
        with contextlib.ExitStack() as files:
            free = (name for name in there if locked(files.enter_context(lock_of(name).open("a"))))
            if len(taken := list(islice(free, count))) == count:
                stack.push(files.pop_all())
                return taken
        time.sleep(POLL)
    return []


def lock_of(gpu: str) -> Path:
    folder = Path(tempfile.gettempdir()) / f"variformer-gpus-{os.getuid()}"
    folder.mkdir(exist_ok=True)
    return folder / f"{gpu.replace('/', '_')}.lock"


def visible() -> list[str]:
    """The GPUs that this process may use, as CUDA_VISIBLE_DEVICES names them. torch is not imported for it."""
    if "CUDA_VISIBLE_DEVICES" in os.environ:
        return [name for name in os.environ["CUDA_VISIBLE_DEVICES"].split(",") if name and name != "-1"]
    with contextlib.suppress(OSError, subprocess.SubprocessError):
        asked = ["nvidia-smi", "--query-gpu=index", "--format=csv,noheader"]
        return subprocess.run(asked, capture_output=True, text=True, check=True, timeout=30).stdout.split()
    return []


def cores() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
