"""The processes of a loader live as long as the trainer that needs them: no shorter, and no longer."""

import itertools
import multiprocessing
import os
import signal
import time
from typing import Any

import pytest

from variformer.data.loader import Keyed, loader
from variformer.data.order import BatchPart, TrainingOrder

DEVICES = ["trainer=ddp", "trainer.devices=2", "trainer.accelerator=cpu", "global_batch=8"]
SOON = 10  # seconds


class Numbers:
    """After some samples, each worker is stuck."""

    def __init__(self, stuck_after: int):
        self.left = stuck_after

    def __len__(self) -> int:
        return 64

    def sample(self, index: int, key: int) -> dict[str, int]:
        if self.left == 0:
            time.sleep(3600)
        self.left -= 1
        return {"number": index}


def batches(stuck_after: int) -> Any:
    """With both workers at work."""
    order = TrainingOrder(64, seed=0, batch=2, steps=32, part=BatchPart(2))
    iterator = iter(loader(Numbers(stuck_after), order, lambda samples, keys, train: {}, seed=0, workers=2))
    assert len([next(iterator) for _ in range(2)]) == 2
    return iterator


def trainer(end, stuck_after: int, sender) -> None:
    kept = batches(stuck_after)
    sender.send([worker.pid for worker in multiprocessing.active_children()])
    end(kept)


def fails(kept) -> None:
    raise RuntimeError("an error, which keeps the loader alive that its traceback knows")


def is_killed(kept) -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def test_they_outlive_a_signal_to_their_whole_group():
    """The trainer still needs their batches on its way to a checkpoint."""
    rest = batches(stuck_after=64)
    for worker in multiprocessing.active_children():
        os.kill(worker.pid, signal.SIGTERM)
    assert len(list(rest)) == 30


@pytest.mark.parametrize("end, stuck_after, code", [(fails, 64, 1), (is_killed, 2, -signal.SIGKILL)])
def test_they_end_with_the_trainer(end, stuck_after, code):
    context = multiprocessing.get_context("fork")
    receiver, sender = context.Pipe(duplex=False)
    process = context.Process(target=trainer, args=(end, stuck_after, sender))
    process.start()
    workers = receiver.recv()
    process.join(SOON)
    assert len(workers) == 2 and process.exitcode == code
    left = time.monotonic() + 2  # less than the 5 seconds after which they look for their parent themselves
    while any(map(runs, workers)):
        assert time.monotonic() < left
        time.sleep(0.01)


def runs(pid: int) -> bool:
    """Whether a process is there and no zombie, as orphans are where nobody collects them."""
    try:
        with open(f"/proc/{pid}/stat") as file:
            return file.read().rpartition(")")[2].split()[0] != "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False


def hang_later(patch: pytest.MonkeyPatch) -> None:
    samples, original = itertools.count(1), Keyed.__getitem__

    def hanging(self, index):
        return time.sleep(3600) if next(samples) > 4 else original(self, index)

    patch.setattr(Keyed, "__getitem__", hanging)


def test_an_error_is_reported_at_once_though_they_hang(composed, faults, tmp_path):
    def fail() -> None:
        time.sleep(1)  # until all are stuck
        (tmp_path / "failed").touch()
        raise RuntimeError("an error")

    config = composed(*faults.overrides("gpt", "trainer.workers=2")) | {"run_dir": str(tmp_path / "run")}
    assert faults.run(config, [hang_later, faults.at("training", 1, fail)]) == [1]
    assert time.time() - (tmp_path / "failed").stat().st_mtime < 4  # PyTorch waits 5 seconds for each
    assert "RuntimeError: an error" in faults.log_of(config)


def test_a_hanging_worker_keeps_no_connection_of_a_killed_rank(composed, faults, tmp_path):
    """The other ranks would wait in vain for an answer."""
    config = composed(*faults.overrides("gpt", *DEVICES, "trainer.workers=1")) | {"run_dir": str(tmp_path / "run")}
    killed = faults.at("training", 1, lambda: faults.die(0.5))
    assert faults.run(config, [hang_later, killed], []) == [-signal.SIGKILL, 1]
