"""Processes that end when the process that started them ends."""

import ctypes
import signal
import sys

PARENT_DEATH = 1  # PR_SET_PDEATHSIG of prctl(2)


def on_death_of_parent(signum: signal.Signals) -> None:
    """Ask Linux to send this process a signal when its parent ends, in whatever way. Elsewhere this does nothing."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PARENT_DEATH, signum)
