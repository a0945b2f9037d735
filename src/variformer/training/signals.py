"""What a process does when a signal asks it to stop."""

import faulthandler
import os
import signal
import sys
import threading
from collections.abc import Callable
from contextlib import suppress
from types import FrameType
from typing import ClassVar

Handler = Callable[[int, FrameType | None], object] | int | None  # what signal.signal takes and returns


class Preempted(SystemExit):
    """A signal ended the run. The exit code is 128 + the signal's number, as shells and schedulers expect."""

    def __init__(self, signum: int):
        super().__init__(128 + signum)
        self.signal = signal.Signals(signum)

    def __str__(self) -> str:
        return f"stopped by {self.signal.name}"


class Signals:
    """Within `with Signals() as signals:` SIGTERM, SIGUSR1, SIGUSR2 and Ctrl-C end the run in good order.

    They raise Preempted at once as long as there is nothing to save. While `deferred`, they are only noted in
    `received`, and the training loop acts on them when its state is complete. A second Ctrl-C never waits. SIGQUIT
    (Ctrl-backslash) prints the stacks of all threads, and the run goes on.
    """

    HANDLED: ClassVar[tuple[signal.Signals, ...]] = (signal.SIGTERM, signal.SIGUSR1, signal.SIGUSR2, signal.SIGINT)

    def __init__(self) -> None:
        self.received = self.interrupts = 0
        self.deferred = os.environ.get("LOCAL_RANK", "0") != "0"  # the first process decides for the others
        self.leaving = False
        self.process = os.getpid()
        self.former: dict[signal.Signals, Handler] = {}

    def __enter__(self) -> "Signals":
        if threading.current_thread() is threading.main_thread():  # no other may set handlers
            self.former = {each: signal.signal(each, self.handle) for each in self.HANDLED}
            signal.pthread_sigmask(signal.SIG_UNBLOCK, self.HANDLED)  # which Launcher blocked
            if sys.__stderr__ is not None:
                faulthandler.register(signal.SIGQUIT, file=sys.__stderr__, all_threads=True)
        return self

    def __exit__(self, *error: object) -> None:
        for each, handler in self.former.items():
            signal.signal(each, handler)
        if self.former:
            faulthandler.unregister(signal.SIGQUIT)

    def handle(self, signum: int, frame: FrameType | None) -> None:
        if os.getpid() != self.process:
            return  # a worker of the data loader, forked later; its parent ends it
        self.interrupts += signum == signal.SIGINT
        insists = signum == signal.SIGINT and self.interrupts > 1
        self.received = self.received or signum
        if insists or not (self.deferred or self.leaving):
            self.leave(signum)
        if not self.leaving and os.environ.get("LOCAL_RANK", "0") == "0":
            with suppress(OSError):  # the reader may be gone: Ctrl-C also ends a `tee` behind the run
                os.write(2, f"\n{signal.Signals(signum).name}: the run stops after this step\n".encode())

    def leave(self, signum: int) -> None:
        """Raise Preempted. Later signals except Ctrl-C are then ignored, so that the run can end in good order."""
        self.leaving = True
        raise Preempted(signum)
