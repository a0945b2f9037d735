"""The process of a trial: its start, and its end together with all processes that it started."""

import contextlib
import os
import signal
import subprocess
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass
from types import FrameType
from typing import IO

from ..parent import on_death_of_parent
from .directory import SweepDirectory
from .outcome import Ending

POLL = 0.5  # seconds
FORWARDED = (signal.SIGTERM, signal.SIGUSR1, signal.SIGUSR2)  # a scheduler's; a SIGINT reaches the sweep's process


@dataclass(frozen=True)
class Limits:
    """How long a trial may take, and how long its process may take to end, in seconds."""

    timeout: float | None
    grace: float


def start(command: list[str], log: IO[str], variables: dict[str, str], keep: int | None = None) -> subprocess.Popen:
    """Start a trial in its own process group, so that only the sweep sends it a Ctrl-C. The file `keep` stays open."""
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
    """React to SIGINT, which a launcher's worker ignores, and on Linux also to the death of the sweep's process."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    on_death_of_parent(signal.SIGTERM)


def wait_for(process: subprocess.Popen, sweep: SweepDirectory, limits: Limits) -> Ending:
    """Wait for the end of a trial. End it when the sweep is stopped, or when its time is over.

    A trial that is stopped takes the time that it needs to save. One whose time is over has `limits.grace` seconds
    after SIGTERM. Other processes that the trial started, such as ranks, end with it.
    """
    deadline = None if limits.timeout is None else time.monotonic() + limits.timeout
    received: list[int] = []
    stop, overdue = None, False
    try:
        with forwarding(process, received):
            while not ended(process):
                if stop is None and (stop := sweep.stopped_by()) is not None:
                    process.send_signal(stop)
                if deadline is not None and time.monotonic() > deadline:
                    end(process, limits.grace)
                    overdue = True
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()
    stop = received[0] if received else stop
    return Ending(process.returncode, stop, limits.timeout if overdue else None, received[0] if received else None)


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
    """Send the signals of a scheduler on to the trial, and append them to `received`."""

    def forward(signum: int, frame: FrameType | None) -> None:
        received.append(signum)
        process.send_signal(signum)

    return handled(FORWARDED, forward)


@contextlib.contextmanager
def handled(signals: Iterable[signal.Signals], handler: Callable[[int, FrameType | None], None]) -> Iterator[None]:
    """Within it, `handler` receives the signals."""
    before = {each: signal.signal(each, handler) for each in signals}
    try:
        yield
    finally:
        for each, former in before.items():
            signal.signal(each, former)
