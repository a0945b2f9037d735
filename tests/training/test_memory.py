import errno

import pytest
import torch

from variformer.analysis import machine_memory as memory
from variformer.analysis.machine_memory import free_memory, ran_out


def too_much() -> None:
    torch.empty(2**60, dtype=torch.uint8)


def test_the_allocators_own_error_is_for_want_of_memory():
    with pytest.raises(RuntimeError) as caught:
        too_much()
    assert ran_out(caught.value)


@pytest.mark.parametrize(
    ("error", "is_memory"),
    [
        (MemoryError(), True),
        (torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB"), True),
        (RuntimeError("CUDA error: out of memory"), True),
        (RuntimeError("cuBLAS error: CUBLAS_STATUS_ALLOC_FAILED"), True),
        (OSError(errno.ENOMEM, "Cannot allocate memory"), True),
        (OSError(errno.ENOSPC, "No space left on device"), False),
        (RuntimeError("mat1 and mat2 shapes cannot be multiplied"), False),
        (ValueError("out of memory"), False),
    ],
    ids=repr,
)
def test_memory_is_distinguished_from_other_errors(error, is_memory):
    assert ran_out(error) is is_memory


def test_a_containers_limit_counts_where_it_is_lower(tmp_path, monkeypatch):
    (tmp_path / "meminfo").write_text("MemTotal: 9 kB\nMemFree: 1 kB\nMemAvailable: 4 kB\n")
    cached = "anon 500\nactive_file 200\ninactive_file 100\n"
    for name, value in {"memory.max": "3000\n", "memory.current": "1300\n", "memory.stat": cached}.items():
        (tmp_path / name).write_text(value)
    own = tmp_path / "own"
    own.write_text("0::/\n")
    assert memory._available(tmp_path / "meminfo") == 4096
    assert memory._left_to_the_group(tmp_path, own) == 2000
    (tmp_path / "memory.max").write_text("max\n")
    assert memory._left_to_the_group(tmp_path, own) is None
    assert memory._left_to_the_group(tmp_path, tmp_path / "nothing") is None
    assert memory._available(tmp_path / "nothing") is None
    monkeypatch.setattr(memory, "_available", lambda: 4096)
    monkeypatch.setattr(memory, "_left_to_the_group", lambda: 2000)
    assert free_memory(torch.device("cpu")) == 2000
    assert free_memory(torch.device("meta")) is None


@pytest.mark.parametrize(
    "groups, top, names",
    [
        ("0::/slurm/job_7/step_0\n", "", ("memory.max", "memory.current")),
        (
            "5:cpu,cpuacct:/other\n4:memory:/slurm/job_7/step_0\n0::/\n",
            "memory",
            ("memory.limit_in_bytes", "memory.usage_in_bytes"),
        ),
    ],
    ids=["version 2", "version 1"],
)
def test_the_tightest_of_the_groups_around_a_process_counts(tmp_path, groups, top, names):
    (tmp_path / "own").write_text(groups)
    job = tmp_path / top / "slurm" / "job_7"
    (job / "step_0").mkdir(parents=True)
    for folder, limit in (job / "step_0", 2**62), (job, 5000), (job.parent, 9000):
        counts = "active_file 50\ntotal_active_file 100"
        for name, value in zip((*names, "memory.stat"), (limit, 1000, counts), strict=True):
            (folder / name).write_text(f"{value}\n")
    assert memory._left_to_the_group(tmp_path, tmp_path / "own") == 4100
