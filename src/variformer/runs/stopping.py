"""The status of a run while it runs and when it ends, and how to continue after a stop."""

import shlex
from collections.abc import Iterator
from contextlib import contextmanager, suppress

from ..command import typed_command
from ..config import ConfigError
from ..run_directory.directory import RunDirectory, write_bytes
from ..searching import Pruned
from ..training.loggers import dashboards_closed
from ..training.resuming.requeue import put_back_after_a_warning
from ..training.signals import Preempted, Signals
from .console import say


class Refused(ConfigError):
    """A run cannot be resumed in this way, and stays as it was."""


@contextmanager
def reported(directory: RunDirectory, requeue: bool = False) -> Iterator[Signals]:
    """Keep status.json true, whatever happens, and close the dashboards. Yields the signals that reach the process."""
    with Signals() as signals, put_back_after_a_warning(directory.leads and requeue), dashboards_closed(directory):
        before = directory.status_file.read_bytes() if directory.leads and directory.status_file.is_file() else None
        directory.set_status("running")
        try:
            yield signals
        except (KeyboardInterrupt, Preempted) as stop:
            directory.set_status("preempted", stop)
            if directory.leads:
                say(f"\n{summary(directory, stop)}")
            raise
        except Refused:
            if before is not None:
                write_bytes(directory.status_file, before)
            raise
        except Pruned:
            directory.set_status("pruned")
            raise
        except BaseException as error:
            with suppress(OSError):  # the disk may be full, and the first error is what the user needs
                directory.set_status("failed", error)
            raise
        directory.set_status("done")


def summary(directory: RunDirectory, stop: BaseException) -> str:
    """What stopped the run, its newest checkpoint, and the command that continues it."""
    saved = sorted(directory.checkpoints.glob("step-*.ckpt"))
    how = "true" if saved else "auto"
    command = shlex.join([*typed_command("train"), f"run_dir={directory.path}", f"resume={how}"])
    if not saved:
        return f"{stop} before there was a checkpoint. To start over: {command}"
    return f"{stop}; newest checkpoint: {saved[-1]}\nTo continue: {command}"
