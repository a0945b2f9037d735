"""Runs that are killed or stopped by a signal at chosen moments, and what must be equal to a run that was not."""

import itertools
import json
import multiprocessing
import os
import signal
import socket
import sys
import threading
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import pytest
import torch

from variformer.config.composing.earlier_runs import has_checkpoints
from variformer.run_directory.curves import read_curves
from variformer.runs.train import train
from variformer.training.callbacks import Checkpoints
from variformer.training.module import Training
from variformer.training.resuming.checkpoint_io import WholeCheckpointIO

PATIENCE = 200  # seconds, for a run of a few steps: a deadlock otherwise
DEVICES = ["trainer=ddp", "trainer.devices=2", "global_batch=8"]
MOMENTS = {
    "training": (Training, "training_step"),
    "validation": (Training, "validation_step"),
    "saving": (Checkpoints, "save"),
    "writing": (WholeCheckpointIO, "save_checkpoint"),
}
TINY = ["model.width=32", "model.heads=2", "model.depth=2", "model.hidden=64", "model.dropout=0.1", "samples=none"]
TEXT = ["tokenizer=bytes", "model.vocab_size=400", "length=32"]
FAMILIES = {
    "gpt": TEXT,
    "bert": TEXT,
    "t5": ["model.vocab_size=600", "length=32", "model.head_width=16"],  # bytes have no sentinels
    "vit": [],
}
Arrange = Callable[[pytest.MonkeyPatch], None]


@pytest.fixture(scope="session")
def faults(trained_before) -> Any:
    """The functions below: test modules are imported by path here, and cannot import each other."""
    return sys.modules[__name__]


def overrides(family: str, *more: str) -> list[str]:
    """A run of 8 steps of 2 micro batches, with dropout, a moving average, 4 checkpoints and 2 validations."""
    return [
        *(f"experiment={family}", "debug=fast", *TINY, *FAMILIES[family], "callbacks=[default,average]"),
        *(
            "max_steps=8",
            "trainer.validate_every=3",
            "trainer.save_every=2",
            "trainer.progress=false",
            "trainer.accelerator=cpu",
            *more,
        ),
    ]


def at(moment: str, count: int, act: Callable[[], Any]) -> Arrange:
    """Arrange that `act` happens when the moment comes for the `count`-th time."""
    owner, name = MOMENTS[moment]

    def arrange(patch: pytest.MonkeyPatch) -> None:
        original, calls = getattr(owner, name), itertools.count(1)

        def counted(self, *arguments, **named):
            if next(calls) == count:
                act()
            return original(self, *arguments, **named)

        patch.setattr(owner, name, counted)

    return arrange


def die(after: float = 0.0) -> None:
    """SIGKILL to this process, in so many seconds, wherever it is then."""
    timer = threading.Timer(after, os.kill, (os.getpid(), signal.SIGKILL))
    timer.daemon = True
    timer.start()


def tell(signum: int) -> Callable[[], None]:
    return lambda: os.kill(os.getpid(), signum)


def run(config: dict, *arranged: Iterable[Arrange]) -> list[int]:
    """Exit codes of as many ranks as are arranged; a process that a signal ended has minus its number.

    The ranks are forked, because importing takes longer than a few steps of training.
    """
    context, port = multiprocessing.get_context("fork"), free_port()
    ranks = [
        context.Process(target=be_rank, args=(config, rank, len(arranged), port, arrange))
        for rank, arrange in enumerate(arranged)
    ]
    for rank in ranks:
        rank.start()
    try:
        for rank in ranks:
            rank.join(PATIENCE)
    finally:
        codes = [rank.exitcode for rank in ranks]
        for rank in ranks:
            rank.kill()
            rank.join()
    assert None not in codes, f"deadlock: {codes}\n{log_of(config)}"
    return codes


def be_rank(config: dict, rank: int, ranks: int, port: int, arranged: Iterable[Arrange]) -> None:
    """Train, alone or as what Lightning starts; what is printed goes to a log beside the run directory."""
    log = os.open(f"{config['run_dir']}.log", os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    for stream in 1, 2:
        os.dup2(log, stream)
    sys.stdout = sys.stderr = os.fdopen(log, "a", buffering=1)
    if ranks > 1:
        os.environ |= {"LOCAL_RANK": str(rank), "NODE_RANK": "0", "WORLD_SIZE": str(ranks)}
        os.environ |= {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(port)}
    patch = pytest.MonkeyPatch()
    patch.setattr("variformer.runs.train.draw_curves", lambda rows, path: path)
    for arrange in arranged:
        arrange(patch)
    train(config)


def free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]


def log_of(config: dict) -> str:
    return Path(f"{config['run_dir']}.log").read_text()


def status(run_dir: str | Path) -> dict[str, Any]:
    return json.loads((Path(run_dir) / "status.json").read_text())


def steps(run_dir: str | Path) -> list[int]:
    """Those that checkpoints are there of."""
    return sorted(int(path.name[5:13]) for path in (Path(run_dir) / "checkpoints").glob("step-*.ckpt"))


def outcome(run_dir: str | Path) -> dict[str, Any]:
    """All that a run leaves which does not tell the time."""
    folder = Path(run_dir)
    last, best = (
        WholeCheckpointIO().load_checkpoint(folder / "checkpoints" / f"{name}.ckpt") for name in ("last", "best")
    )
    last.pop("curves")  # bytes, and speeds are written with more digits or fewer
    loops = last["loops"]["fit_loop"]
    del loops["epoch_loop.val_loop.batch_progress"]  # counts the batches of validations that were left, too
    curves = [row for row in read_curves(folder / "metrics.csv") if not row[1].startswith("speed/")]
    metrics = (folder / "metrics.json").read_text().split('"val')[1:]
    return {"last": last, "best": best["state_dict"], "curves": curves, "metrics": metrics}


def differences(a: Any, b: Any, key: str = "") -> list[str]:
    """Where two outcomes differ in as much as a bit."""
    if isinstance(a, torch.Tensor):
        return [] if torch.equal(a, b) else [key]
    if isinstance(a, dict):
        if a.keys() != b.keys():
            return [f"{key}: {sorted(map(str, a.keys() ^ b.keys()))}"]
        return [found for each in a for found in differences(a[each], b[each], f"{key}/{each}")]
    if isinstance(a, list | tuple):
        if len(a) != len(b):
            return [f"{key}: {len(a)} and {len(b)}"]
        return [found for i, pair in enumerate(zip(a, b, strict=True)) for found in differences(*pair, f"{key}/{i}")]
    return [] if a == b else [f"{key}: {a} and {b}"]


def again(config: dict) -> dict:
    """The config as `resume=auto` makes it."""
    return config | {"resume": has_checkpoints(Path(config["run_dir"]))}
