"""Runs by two processes at once, as `trainer.devices=2` makes them."""

import faulthandler
import multiprocessing
import os
import socket
import tempfile
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from variformer.training.resuming.checkpoint_io import WholeCheckpointIO

PATIENCE = 280  # seconds


@pytest.fixture(scope="module", autouse=True)
def quick(no_picture_of_the_curves, trained_before):
    """The ranks are forked, and inherit it."""


@pytest.fixture(scope="session")
def on_ranks() -> Callable[..., list[Any]]:
    """on_ranks(function, *arguments, ranks=2) -> what each rank returned. Raises the first failures' tracebacks.

    The processes are forked, because importing takes longer than a few steps of training. What they return is pickled.
    """
    return run_on_ranks


@pytest.fixture(scope="session")
def checkpoint_of() -> Callable[..., dict[str, Any]]:
    """(config, name="last") -> what the checkpoint of that run holds."""

    def read(config: dict[str, Any], name: str = "last") -> dict[str, Any]:
        return WholeCheckpointIO().load_checkpoint(Path(config["run_dir"]) / "checkpoints" / f"{name}.ckpt")

    return read


def run_on_ranks(function: Callable[..., Any], *arguments: Any, ranks: int = 2) -> list[Any]:
    context = multiprocessing.get_context("fork")
    port, pipes, processes = free_port(), [], []
    with tempfile.TemporaryDirectory() as folder:
        stacks = [Path(folder, f"rank{rank}") for rank in range(ranks)]
        for rank in range(ranks):
            ours, theirs = context.Pipe(duplex=False)
            given = (theirs, stacks[rank], rank, ranks, port, function, arguments)
            process = context.Process(target=be_rank, args=given)
            process.start()
            theirs.close()
            pipes.append(ours)
            processes.append(process)
        try:
            outcomes = [answer(*each) for each in zip(pipes, processes, stacks, strict=True)]
        finally:
            for process in processes:
                process.kill()
                process.join()
    failures = [f"rank {rank}: {result}" for rank, (fine, result) in enumerate(outcomes) if not fine]
    assert not failures, "\n".join(failures)
    return [result for _, result in outcomes]


def answer(pipe: Any, process: Any, stacks: Path) -> tuple[bool, Any]:
    try:
        return pipe.recv() if pipe.poll(PATIENCE) else (False, "no answer")
    except EOFError:
        process.join()
        return False, f"died with exit code {process.exitcode}\n{stacks.read_text()}"


def be_rank(
    pipe: Any, stacks: Path, rank: int, ranks: int, port: int, function: Callable[..., Any], arguments: tuple
) -> None:
    """With what Lightning tells the processes that it starts. A fatal error leaves where it was in `stacks`."""
    faulthandler.enable(os.open(stacks, os.O_CREAT | os.O_WRONLY))
    os.environ |= {
        "LOCAL_RANK": str(rank),
        "NODE_RANK": "0",
        "WORLD_SIZE": str(ranks),
        "MASTER_ADDR": "127.0.0.1",
        "MASTER_PORT": str(port),
    }
    try:
        pipe.send((True, function(*arguments)))
    except BaseException:
        pipe.send((False, traceback.format_exc()))


def free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]
