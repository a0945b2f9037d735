"""Processes that notice the end of the one that started them."""

import ctypes
import signal
import sys

PARENT_DEATH = 1  # PR_SET_PDEATHSIG of prctl(2)


def on_death_of_parent(signum: signal.Signals) -> None:
    """From now on, this process gets a signal when its parent ends, however that ends; on Linux, elsewhere nothing."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PARENT_DEATH, signum)
