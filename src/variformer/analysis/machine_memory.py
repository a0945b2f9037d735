"""When memory runs out, and how much there is."""

import errno
import resource
from pathlib import Path

import torch

MESSAGES = (
    "out of memory",  # CUDA's, cuBLAS's and NCCL's errors that are no torch.OutOfMemoryError
    "can't allocate memory",  # the allocator of a CPU
    "not enough memory",
    "ALLOC_FAILED",
)


class OutOfMemory(RuntimeError):
    """A training or an evaluation did not fit into memory. The message says what to change."""


def ran_out(error: BaseException) -> bool:
    """Whether an error is about memory."""
    if isinstance(error, MemoryError | torch.OutOfMemoryError | OutOfMemory):
        return True
    if isinstance(error, OSError):
        return error.errno == errno.ENOMEM
    return isinstance(error, RuntimeError) and any(message in str(error) for message in MESSAGES)


def free_memory(device: torch.device) -> int | None:
    """Bytes that this process may still take on a GPU or a CPU; None where the system does not say."""
    if device.type == "cuda":
        cached = torch.cuda.memory_reserved(device) - torch.cuda.memory_allocated(device)
        return torch.cuda.mem_get_info(device)[0] + cached
    if device.type != "cpu":
        return None
    limits = [limit for limit in (_available(), _left_to_the_group(), _left_to_the_process()) if limit is not None]
    return min(limits, default=None)


def _available(source: Path = Path("/proc/meminfo")) -> int | None:
    try:
        lines = source.read_text().splitlines()
    except OSError:
        return None
    return next((int(line.split()[1]) * 1024 for line in lines if line.startswith("MemAvailable")), None)


def _left_to_the_group(root: Path = Path("/sys/fs/cgroup"), own: Path = Path("/proc/self/cgroup")) -> int | None:
    """Bytes left under the limits of the process's control group (versions 1 and 2) and of the groups around it.

    Containers and SLURM set such limits.
    """
    try:
        lines = own.read_text().splitlines()
    except OSError:
        return None
    left = []
    for _, controllers, group in (line.split(":", 2) for line in lines):
        if controllers == "":
            top, names = root, ("memory.max", "memory.current")
        elif "memory" in controllers.split(","):
            top, names = root / "memory", ("memory.limit_in_bytes", "memory.usage_in_bytes")
        else:
            continue
        folder = top / group.lstrip("/")
        around = [parent for parent in folder.parents if parent.is_relative_to(top)]
        left += [_left_in(each, *names) for each in (folder, *around)]
    return min((each for each in left if each is not None), default=None)


def _left_in(folder: Path, limit: str, usage: str) -> int | None:
    """Bytes left in one group. Memory that only caches files counts as free."""
    try:
        most, used = ((folder / name).read_text().strip() for name in (limit, usage))
        counts = dict(line.split() for line in (folder / "memory.stat").read_text().splitlines())
    except OSError:
        return None
    cached = sum(int(counts.get(f"total_{name}", counts.get(name, 0))) for name in ("active_file", "inactive_file"))
    return None if most == "max" else max(int(most) - int(used) + cached, 0)


def _left_to_the_process(source: Path = Path("/proc/self/statm")) -> int | None:
    """Bytes left under a limit on the process's addresses (`ulimit -v`)."""
    limit = resource.getrlimit(resource.RLIMIT_AS)[0]
    if limit == resource.RLIM_INFINITY or not source.is_file():
        return None
    return max(limit - int(source.read_text().split()[0]) * resource.getpagesize(), 0)
