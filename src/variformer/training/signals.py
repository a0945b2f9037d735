"""What a process does when it is told to stop."""

import faulthandler
import os
import signal
import sys
import threading
from contextlib import suppress
from typing import Any


class Preempted(SystemExit):
    """A run was told to stop. Its exit code is 128 + the signal's number, as shells and schedulers expect."""

    def __init__(self, signum: int):
        super().__init__(128 + signum)
        self.signal = signal.Signals(signum)

    def __str__(self) -> str:
        return f"stopped by {self.signal.name}"


class Signals:
    """Within `with Signals() as signals:` SIGTERM, SIGUSR1, SIGUSR2 and Ctrl-C end the run in good order.

    At once, with Preempted, as long as there is nothing to save; while `deferred` they are only noted in `received`,
    for the training loop to act on where its state is whole. A second Ctrl-C never waits. SIGQUIT (Ctrl-backslash)
    prints the stacks of all threads, and the run goes on.
    """

    WATCHED = (signal.SIGTERM, signal.SIGUSR1, signal.SIGUSR2, signal.SIGINT)

    def __init__(self) -> None:
        self.received = self.interrupts = 0
        self.deferred = os.environ.get("LOCAL_RANK", "0") != "0"  # the others wait for the first process's word
        self.leaving = False
        self.process = os.getpid()
        self.former: dict[signal.Signals, Any] = {}

    def __enter__(self) -> "Signals":
        if threading.current_thread() is threading.main_thread():  # no other may set handlers
            self.former = {each: signal.signal(each, self.handle) for each in self.WATCHED}
            signal.pthread_sigmask(signal.SIG_UNBLOCK, self.WATCHED)  # held back by Launcher
            if sys.__stderr__ is not None:
                faulthandler.register(signal.SIGQUIT, file=sys.__stderr__, all_threads=True)
        return self

    def __exit__(self, *error: object) -> None:
        for each, handler in self.former.items():
            signal.signal(each, handler)
        if self.former:
            faulthandler.unregister(signal.SIGQUIT)

    def handle(self, signum: int, frame: Any) -> None:
        if os.getpid() != self.process:
            return  # a loader's worker, forked later; its parent ends it
        self.interrupts += signum == signal.SIGINT
        insists = signum == signal.SIGINT and self.interrupts > 1
        self.received = self.received or signum
        if insists or not (self.deferred or self.leaving):
            self.leave(signum)
        if not self.leaving and os.environ.get("LOCAL_RANK", "0") == "0":
            with suppress(OSError):  # who reads it may be gone: Ctrl-C also ends a `tee` behind the run
                os.write(2, f"\n{signal.Signals(signum).name}: the run stops after this step\n".encode())

    def leave(self, signum: int) -> None:
        """Raise Preempted; later signals but Ctrl-C are then ignored, so that they do not spoil the way out."""
        self.leaving = True
        raise Preempted(signum)
