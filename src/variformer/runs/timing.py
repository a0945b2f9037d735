"""How long a command has taken."""

import os
import time
from pathlib import Path

LOADED = time.monotonic()


def process_seconds() -> float:
    """Since this process began, so with its imports; where the system does not say when, since this module's import."""
    try:
        fields = Path("/proc/self/stat").read_text().rpartition(")")[2].split()
        began = int(fields[19]) / os.sysconf("SC_CLK_TCK")  # since the machine was started, as its clock here
        return time.clock_gettime(time.CLOCK_BOOTTIME) - began
    except (OSError, ValueError, IndexError, AttributeError):
        return time.monotonic() - LOADED
