"""Starting the process of a trial, and ending it together with what it started."""

import contextlib
import os
import signal
import subprocess
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager
from typing import IO, Any

from ..parent import on_death_of_parent
from .directory import SweepDirectory
from .outcome import Ending

POLL = 0.5  # seconds
FORWARDED = (signal.SIGTERM, signal.SIGUSR1, signal.SIGUSR2)  # from a scheduler; SIGINT goes through the sweep


def start(command: list[str], log: IO[str], variables: dict[str, str], keep: int | None = None) -> subprocess.Popen:
    """In a process group of its own, so that a Ctrl-C reaches it once, by way of the sweep. `keep` stays open in it."""
    return subprocess.Popen(
        command,
        stdin=subprocess.DEVNULL,
        stdout=log,
        stderr=subprocess.STDOUT,
        env=variables,
        start_new_session=True,
        pass_fds=() if keep is None else (keep,),
        preexec_fn=be_a_trial,
    )


def be_a_trial() -> None:
    """Heed SIGINT, which a launcher's worker ignores, and save a checkpoint where the sweep is killed: Linux tells."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    on_death_of_parent(signal.SIGTERM)


def attend(process: subprocess.Popen, sweep: SweepDirectory, timeout: float | None, grace: float) -> Ending:
    """Wait for the end of a trial, or bring it about: when the sweep is stopped, or after `timeout` seconds.

    A trial that is stopped takes the time it needs to save; one that hangs has `grace` seconds after SIGTERM. Other
    processes that it started, such as ranks, end with it.
    """
    deadline = None if timeout is None else time.monotonic() + timeout
    received: list[int] = []
    stop, overdue = None, False
    try:
        with forwarding(process, received):
            while not ended(process):
                if stop is None and (stop := sweep.stopped_by()) is not None:
                    process.send_signal(stop)
                if deadline is not None and time.monotonic() > deadline:
                    end(process, grace)
                    overdue = True
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()
    stop = received[0] if received else stop
    return Ending(process.returncode, stop, timeout if overdue else None, received[0] if received else None)


def ended(process: subprocess.Popen) -> bool:
    try:
        process.wait(POLL)
    except subprocess.TimeoutExpired:
        return False
    return True


def end(process: subprocess.Popen, grace: float) -> None:
    process.terminate()
    try:
        process.wait(grace)
    except subprocess.TimeoutExpired:
        process.kill()


def forwarding(process: subprocess.Popen, received: list[int]) -> AbstractContextManager[None]:
    """What a scheduler tells this process is told to the trial; `received` gets the signals, for later."""

    def forward(signum: int, frame: object) -> None:
        received.append(signum)
        process.send_signal(signum)

    return handled(FORWARDED, forward)


@contextlib.contextmanager
def handled(signals: Iterable[signal.Signals], handler: Callable[[int, Any], None]) -> Iterator[None]:
    before = {each: signal.signal(each, handler) for each in signals}
    try:
        yield
    finally:
        for each, former in before.items():
            signal.signal(each, former)
