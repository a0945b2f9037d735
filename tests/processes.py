"""The project's commands, as processes of their own."""

import multiprocessing
import os
import runpy
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).parents[1]


def command(script: str, *arguments: str, folder: Path, **environment: str) -> subprocess.CompletedProcess:
    return subprocess.run(
        [sys.executable, str(ROOT / script), *arguments],
        cwd=folder,
        env=inherited() | {"OMP_NUM_THREADS": "1"} | environment,
        capture_output=True,
        text=True,
        timeout=280,
    )


def inherited() -> dict[str, str]:
    return {name: value for name, value in os.environ.items() if name != "WANDB_SERVICE"}  # of another test's W&B


def forked_command(
    script: str | Path, *arguments: str, folder: Path, **environment: str
) -> subprocess.CompletedProcess:
    """The same without the start of Python and its imports, where a test is not about them."""
    with tempfile.TemporaryFile("w+") as out, tempfile.TemporaryFile("w+") as errors:
        process = fork_command(
            script, *arguments, folder=folder, out=out.fileno(), errors=errors.fileno(), **environment
        )
        process.join(280)
        code = process.exitcode
        process.kill()
        texts = []
        for file in (out, errors):
            file.seek(0)
            texts.append(file.read())
    assert code is not None, "".join(texts)
    return subprocess.CompletedProcess([str(script), *arguments], code, *texts)


def fork_command(
    script: str | Path,
    *arguments: str,
    folder: Path,
    out: int,
    errors: int,
    closed: tuple[int, ...] = (),
    **environment: str,
) -> multiprocessing.Process:
    """Start a forked process that runs a script of the checkout.

    It writes to the file descriptors `out` and `errors`; those in `closed` are not left open there.
    """
    given = (str(ROOT / script), arguments, folder, (out, errors, *closed), inherited() | environment)
    process = multiprocessing.get_context("fork").Process(target=become, args=given)
    process.start()
    return process


def become(
    script: str, arguments: tuple[str, ...], folder: Path, descriptors: tuple[int, ...], environment: dict[str, str]
) -> None:
    """What a new interpreter is given: its session, folder, environment, output and command line."""
    os.setsid()
    os.chdir(folder)
    os.environ.clear()
    os.environ.update(environment)
    for standard, descriptor in zip((1, 2), descriptors, strict=False):
        os.dup2(descriptor, standard)
    for descriptor in set(descriptors):
        os.close(descriptor)
    sys.stdout, sys.stderr = os.fdopen(1, "w"), os.fdopen(2, "w", buffering=1)
    sys.argv, sys.orig_argv = [script, *arguments], [sys.executable, script, *arguments]
    try:
        runpy.run_path(script, run_name="__main__")
    finally:
        sys.stdout.flush()
