import os
import shutil
import struct
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from torch.utils._filelock import FileLock

from variformer.training import compiling
from variformer.training.compile_cache import is_whole, remove_unfinished

CPU = torch.device("cpu")
LIBRARY = Path(torch.__file__).parent / "lib" / "libtorch_global_deps.so"

STEP = """
import logging, sys, torch
import torch._inductor.config
torch._inductor.config.cpp_cache_precompile_headers = False  # it takes longer than the rest
from variformer.training.compiling import usable_mode
logging.basicConfig(level="WARNING", stream=sys.stdout)
if sys.argv[1] == "recovering":
    print(usable_mode("default", torch.device("cpu")))
print(torch.compile(torch.sin)(torch.zeros(2)))
"""


def test_without_a_compiler_the_run_goes_on_uncompiled(monkeypatch, caplog):
    def broken(function):
        def call(*arguments):
            raise RuntimeError("No working C++ compiler found\nmore")

        return call

    monkeypatch.setattr(torch, "compile", broken)
    assert compiling.usable_mode("default", CPU) == "none"
    assert "No working C++ compiler found" in caplog.text


def test_nothing_is_tried_unless_asked(monkeypatch):
    monkeypatch.setattr(torch, "compile", None)
    assert compiling.usable_mode("none", CPU) == "none"


def test_a_library_that_ends_early_is_seen(tmp_path):
    assert is_whole(LIBRARY)
    header = bytearray(LIBRARY.read_bytes()[:64])
    struct.pack_into("<Q", header, 40, 500)  # where the table begins,
    struct.pack_into("<HH", header, 58, 64, 5)  # and the size and number of its entries
    content, cut = bytes(header) + bytes(500 - 64 + 5 * 64), tmp_path / "cut.main.so"
    for length in [*range(0, len(content), 7), len(content) - 1]:
        cut.write_bytes(content[:length])
        assert not is_whole(cut), length
    cut.write_bytes(content)
    assert is_whole(cut)
    cut.write_bytes(bytes(len(content)))
    assert not is_whole(cut)


@pytest.fixture
def cache(tmp_path):
    """torch's cache after a compiler was killed at a library, and another at a header."""
    for name in ("ab/cabc.main.so", "ab/cdef.main.so", "precompiled_headers/cghi.h.gch"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    shutil.copy(LIBRARY, tmp_path / "ab" / "cwhole.main.so")
    (tmp_path / "precompiled_headers" / "cghi.h_CxxBuild").mkdir()
    (tmp_path / "precompiled_headers" / "cwhole.h.gch").touch()
    (tmp_path / "locks").mkdir()
    (tmp_path / "precompiled_headers" / "locks").mkdir()
    return tmp_path


def files(cache: Path) -> set[str]:
    return {path.name for path in cache.rglob("*") if path.suffix in (".so", ".gch")}


def test_what_a_killed_compiler_left_is_removed(cache):
    remove_unfinished(cache)
    assert files(cache) == {"cwhole.main.so", "cwhole.h.gch"}
    assert not list(cache.rglob("*_CxxBuild"))


def test_what_a_compiler_is_writing_just_now_is_left(cache):
    with FileLock(cache / "locks" / "cabc.lock"), FileLock(cache / "precompiled_headers" / "locks" / "cghi.lock"):
        remove_unfinished(cache)
        assert files(cache) == {"cabc.main.so", "cwhole.main.so", "cghi.h.gch", "cwhole.h.gch"}


@pytest.mark.slow
def test_a_run_compiles_again_after_a_killed_compilation(tmp_path):
    """As processes of their own, with torch's own cache and half a library in it."""

    def step(how: str) -> subprocess.CompletedProcess:
        environment = os.environ | {"TORCHINDUCTOR_CACHE_DIR": str(tmp_path), "OMP_NUM_THREADS": "1"}
        environment |= {"TORCHINDUCTOR_COMPILE_THREADS": "1"}  # helpers that it starts may outlive it
        return subprocess.run(
            [sys.executable, "-c", STEP, how], env=environment, capture_output=True, text=True, timeout=250
        )

    assert step("plain").returncode == 0
    (library,) = tmp_path.glob("*/*.main.so")
    library.write_bytes(library.read_bytes()[:1000])
    assert step("plain").returncode != 0, "torch has learned to see this itself"
    done = step("recovering")
    assert done.returncode == 0 and done.stdout.startswith("default\n"), done.stdout + done.stderr
    assert is_whole(library)
