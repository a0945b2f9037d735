"""Whether this machine can compile: torch.compile needs a C++ compiler on a CPU, and Triton on a GPU."""

import logging

import torch

from .compile_cache import remove_unfinished

log = logging.getLogger(__name__)


def usable_mode(mode: str, device: torch.device) -> str:
    """`mode`, or "none" with a warning where a trial compilation fails; results are then the same, only later."""
    if mode == "none":
        return mode
    try:
        remove_unfinished()
        torch.compile(torch.sin)(torch.zeros(2, device=device))
    except Exception as error:  # whatever a missing or broken tool chain raises
        reason = str(error).strip().splitlines()[0] if str(error).strip() else repr(error)
        log.warning("compile=%s is not possible here, so the run goes on uncompiled (%s)", mode, reason)
        return "none"
    return mode
