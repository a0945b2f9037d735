"""What a command prints, and how long it has taken."""

import logging
import os
import sys
import time
import warnings
from pathlib import Path

import torch

from ..config import leads

LOADED = time.monotonic()
EXPECTED = (  # warnings of Lightning and PyTorch about what is chosen here on purpose
    ".*does not have many workers.*",
    ".*ended before the epoch ended and your dataloader is not resumable.*",
    ".*Trying to infer the `batch_size`.*",
    ".*`isinstance.treespec, LeafSpec.` is deprecated.*",
    ".*You are using `torch.load`.*",
    ".*sync_dist=True.*",  # what is logged is already that of all devices
    ".*Detected call of `lr_scheduler.step.*",  # where the first step is left out
)


def say(text: str) -> None:
    """Print a text. Where the reader is gone, as after Ctrl-C in `train | tee`, the run still ends in order."""
    try:
        print(text, flush=True)
    except OSError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # what is left to flush must not fail either


def quieten() -> None:
    """Leave out the messages of Lightning and PyTorch about settings that are chosen here on purpose."""
    for package in ("pytorch", "fabric"):
        logging.getLogger(f"lightning.{package}").setLevel(logging.WARNING)
    if not leads():
        logging.getLogger().setLevel(logging.ERROR)  # rank zero has said it
    for message in EXPECTED:
        warnings.filterwarnings("ignore", message)
    torch.set_float32_matmul_precision("high")  # TF32 where there is a GPU; no effect on a CPU


def process_seconds() -> float:
    """Seconds since this process began, imports included. Where the system does not say so, since this module was
    imported.
    """
    try:
        fields = Path("/proc/self/stat").read_text().rpartition(")")[2].split()
        began = int(fields[19]) / os.sysconf("SC_CLK_TCK")  # since the machine was started, as its clock here
        return time.clock_gettime(time.CLOCK_BOOTTIME) - began
    except (OSError, ValueError, IndexError, AttributeError):
        return time.monotonic() - LOADED
