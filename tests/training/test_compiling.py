import os
import signal
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest
import torch
from torch._inductor.runtime.cache_dir_utils import default_cache_dir
from torch.utils._filelock import FileLock

from variformer.training import compiling
from variformer.training.compile_cache import remove_unfinished

CPU = torch.device("cpu")

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
COMPILER = """#!/bin/sh
g++ "$@" || exit 1
for word; do
    case "$HOW $word" in
        "killed "*.main.so) truncate -s 1000 "$word"; kill -9 $PPID ;;
    esac
done
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


@pytest.fixture
def cache(tmp_path, monkeypatch):
    """torch's caches after compilers were killed: at a library, an object file, a processor probe and a header."""
    monkeypatch.setenv("TORCHINDUCTOR_CACHE_DIR", str(tmp_path / "chosen"))
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    headers = Path(default_cache_dir(), "precompiled_headers")
    for file in ("cabc.main.so", "cdef.main.o", "cjkl.so", "cmno.optimized.o", "cwhole.main.so", "cabc.main.cpp"):
        touch(tmp_path / "chosen" / "ab" / file)
    for file in ("cghi.h", "cghi.h.gch", "cwhole.h.gch"):
        touch(headers / file)
    for file in ("cabc.main", "cdef.main", "cjkl", "cmno.optimized"):
        touch(tmp_path / "chosen" / "ab" / f"{file}_CxxBuild" / "part")
    touch(headers / "cghi.h_CxxBuild" / "part")
    return tmp_path


def touch(file: Path) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    file.touch()


def files(cache: Path) -> set[str]:
    return {path.name for path in cache.rglob("*.*") if path.suffix != ".lock"}


WHOLE = {"cabc.main.cpp", "cghi.h", "cwhole.main.so", "cwhole.h.gch"}
UNKNOWN = {"cmno.optimized.o", "cmno.optimized_CxxBuild"}  # whether one is being written, the lock of another file says


def test_what_a_killed_compiler_left_is_removed(cache):
    remove_unfinished()
    assert files(cache) == WHOLE | UNKNOWN


def test_what_a_compiler_is_writing_just_now_is_left(cache):
    libraries, headers = cache / "chosen" / "locks", Path(default_cache_dir(), "precompiled_headers", "locks")
    with FileLock(libraries / "cabc.lock"), FileLock(headers / "cghi.lock"):
        remove_unfinished()
        assert files(cache) == WHOLE | UNKNOWN | {"cabc.main.so", "cabc.main_CxxBuild", "cghi.h.gch", "cghi.h_CxxBuild"}


@pytest.mark.slow
def test_a_run_compiles_again_after_a_killed_compilation(tmp_path):
    """As processes of their own, with torch's own cache; the compiler is killed in the middle of a library."""
    compiler = tmp_path / "compiler"
    compiler.write_text(COMPILER)
    compiler.chmod(0o755)

    def step(how: str) -> subprocess.CompletedProcess:
        environment = os.environ | {"TORCHINDUCTOR_CACHE_DIR": str(tmp_path / "cache"), "OMP_NUM_THREADS": "1"}
        environment |= {"TORCHINDUCTOR_COMPILE_THREADS": "1"}  # helpers that it starts may outlive it
        environment |= {"CXX": str(compiler), "HOW": how, "TORCHINDUCTOR_VEC_ISA_OK": "0"}  # no probes of the processor
        return subprocess.run(
            [sys.executable, "-c", STEP, how], env=environment, capture_output=True, text=True, timeout=250
        )

    assert step("killed").returncode == -signal.SIGKILL
    (library,) = tmp_path.glob("cache/*/*.main.so")
    assert library.stat().st_size == 1000
    assert step("plain").returncode != 0, "torch has learned to see this itself"
    done = step("recovering")
    assert done.returncode == 0 and done.stdout.startswith("default\n"), done.stdout + done.stderr
    assert library.stat().st_size > 1000
