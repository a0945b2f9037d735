"""Training within another program, whose state stays as it was."""

import logging
import os
import signal
import warnings
from collections.abc import Iterator
from contextlib import contextmanager

import torch
from lightning.pytorch.utilities.seed import isolate_rng

from ..training.signals import Preempted

LOGGERS = ("", "lightning.pytorch", "lightning.fabric")
VARIABLES = ("PL_GLOBAL_SEED", "PL_SEED_WORKERS", "CUBLAS_WORKSPACE_CONFIG")  # which Lightning sets


@contextmanager
def undisturbed() -> Iterator[None]:
    """A context after which random states, warnings, log levels and the switches of torch are as they were before.

    Where Ctrl-C has ended the run in order, KeyboardInterrupt is raised in place of the SystemExit of a command.
    """
    levels = {name: logging.getLogger(name).level for name in LOGGERS}
    variables = {name: os.environ.get(name) for name in VARIABLES}
    precision = torch.get_float32_matmul_precision()
    deterministic = torch.are_deterministic_algorithms_enabled()
    warns = torch.is_deterministic_algorithms_warn_only_enabled()
    try:
        with warnings.catch_warnings(), isolate_rng():
            yield
    except Preempted as stop:
        if stop.signal == signal.SIGINT:
            raise KeyboardInterrupt(str(stop)) from None
        raise
    finally:
        torch.set_float32_matmul_precision(precision)
        torch.use_deterministic_algorithms(deterministic, warn_only=warns)
        for name, level in levels.items():
            logging.getLogger(name).setLevel(level)
        for name, value in variables.items():
            os.environ.pop(name, None)
            os.environ.update({} if value is None else {name: value})
