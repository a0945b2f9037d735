"""The end of a run, good or bad: its status, and after a stop how to go on."""

import os
import shlex
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress

from ..command import typed_command
from ..config import ConfigError
from ..training.loggers import dashboards_closed
from ..training.resuming.requeue import put_back_after_a_warning
from ..run_directory.directory import RunDirectory, write_bytes
from ..searching import Pruned
from ..training.signals import Preempted, Signals


class Refused(ConfigError):
    """A run that is not resumed so: it stays as it was."""


@contextmanager
def reported(run: RunDirectory, requeue: bool = False) -> Iterator[Signals]:
    """Keep status.json true, whatever happens; what yields is told of signals meanwhile, dashboards of the end."""
    with Signals() as signals, put_back_after_a_warning(run.leads and requeue), dashboards_closed(run):
        before = run.status_file.read_bytes() if run.leads and run.status_file.is_file() else None
        run.set_status("running")
        try:
            yield signals
        except (KeyboardInterrupt, Preempted) as stop:
            run.set_status("preempted", stop)
            if run.leads:
                tell(f"\n{summary(run, stop)}")
            raise
        except Refused:
            if before is not None:
                write_bytes(run.status_file, before)
            raise
        except Pruned:
            run.set_status("pruned")
            raise
        except BaseException as error:
            with suppress(OSError):  # the disk may be full, and this error is the one to tell
                run.set_status("failed", error)
            raise
        run.set_status("done")


def tell(text: str) -> None:
    """Print it. Where nobody reads any more, as a Ctrl-C also ends a `tee` behind the run, it leaves in order yet."""
    try:
        print(text, flush=True)
    except OSError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # what is left to flush must not fail either


def summary(run: RunDirectory, stop: BaseException) -> str:
    saved = sorted(run.checkpoints.glob("step-*.ckpt"))
    how = "true" if saved else "auto"
    command = shlex.join([*typed_command("train"), f"run_dir={run.path}", f"resume={how}"])
    if not saved:
        return f"{stop} before there was a checkpoint. To start over: {command}"
    return f"{stop}; newest checkpoint: {saved[-1]}\nTo continue: {command}"
