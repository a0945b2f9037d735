"""A job that SLURM has warned goes back into its queue."""

import os
import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager

WARNINGS = (signal.SIGUSR1, signal.SIGUSR2)  # SIGTERM is also what scancel sends, and a cancelled job stays cancelled


@contextmanager
def put_back_after_a_warning(wanted: bool = True) -> Iterator[None]:
    """If what is within ends by one of them: with the exit code 128 + its number."""
    try:
        yield
    except SystemExit as stop:
        if wanted and isinstance(stop.code, int) and stop.code - 128 in WARNINGS:
            put_back()
        raise


def put_back() -> None:
    """Under SLURM, let the same job start again: its last act, since SLURM ends it for this."""
    if not (job := os.environ.get("SLURM_JOB_ID")):
        return
    try:
        subprocess.run(["scontrol", "requeue", job], check=True, capture_output=True, text=True, timeout=60)
        print(f"SLURM starts job {job} again", flush=True)
    except (OSError, subprocess.SubprocessError) as error:
        reason = (getattr(error, "stderr", None) or str(error)).strip()
        print(f"SLURM does not start job {job} again ({reason}): submit the same script once more", flush=True)
