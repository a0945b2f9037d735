"""A job of Hydra's multirun, which runs one trial in a process of its own.

So a trial cannot end, slow down or repeat the sweep that it is part of.
"""

import os
import signal
import time
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from hydra.core.hydra_config import HydraConfig
from hydra.types import RunMode
from omegaconf import DictConfig

from ..config import leads
from ..config.composing.earlier_runs import repeated
from ..config.composing.overrides import as_written
from ..processes import job
from .devices import reserved
from .directory import NOT_IDENTITY, SweepDirectory, assigned, brief, key_of, locked
from .outcome import Ending, outcome
from .planning import flags
from .process import Limits, start, wait_for
from .trials import FINISHED, RECORD, read_record, read_trial, update_record

if TYPE_CHECKING:
    from hydra.conf import HydraConf

LOG = "output.log"  # what the trial printed
POLL = 0.5  # seconds
TORCHRUN = (  # variables that torchrun and Lightning set in each rank
    "RANK",
    "LOCAL_RANK",
    "NODE_RANK",
    "GROUP_RANK",
    "WORLD_SIZE",
    "LOCAL_WORLD_SIZE",
    "MASTER_ADDR",
    "MASTER_PORT",
)


def is_trial() -> bool:
    """Whether Hydra called its main function for one job of a multirun."""
    return HydraConfig.get().mode == RunMode.MULTIRUN


def run_trial(words: Sequence[str], config: DictConfig) -> None:
    """Run a command with the job's overrides in the job's folder, and write down the outcome.

    `words` start the command. Whatever launched the job, only this function starts a trial. It holds the lock of the
    folder while the trial runs.
    """
    if signal.getsignal(signal.SIGINT) is signal.default_int_handler:
        signal.signal(signal.SIGINT, signal.SIG_IGN)  # a launcher's worker: the sweep stops the trial
    hydra = HydraConfig.get()
    sweep = SweepDirectory(hydra.sweep.dir)
    folder = sweep.path / hydra.sweep.subdir
    command = command_of(words, folder, sweep, hydra)
    if not leads():
        follow(command, folder, sweep, hydra.sweeper.grace)
        return
    with (folder / "lock").open("a") as lock:
        while not locked(lock) and sweep.stopped_by() is None:
            time.sleep(POLL)  # until an earlier process of this trial has ended
        if not is_due(folder, sweep):
            return
        try:
            lead(command, folder, sweep, lock.fileno(), config, hydra.sweeper)
        except Exception as error:  # followers must not wait for it
            update_record(folder, status="failed", error=repr(error), attempt=attempt())
            raise


def lead(
    command: list[str], folder: Path, sweep: SweepDirectory, lock: int, config: DictConfig, settings: DictConfig
) -> None:
    """Run the trial as soon as there are devices for it. `settings` are those of conf/hydra/sweeper."""
    with reserved(gpus(settings.gpus_per_trial, config), settings.n_jobs, sweep.stopped_by) as devices:
        if is_due(folder, sweep):
            update_record(folder, status="running", error=None, command=command, attempt=attempt())
            run_to_end(command, folder, sweep, lock, devices, Limits(settings.timeout, settings.grace))


def command_of(words: Sequence[str], folder: Path, sweep: SweepDirectory, hydra: "HydraConf") -> list[str]:
    arguments = [each for each in as_written(hydra.overrides.task) if key_of(each) not in NOT_IDENTITY]
    own = [
        assigned("sweep_dir", sweep.path),
        assigned("run_dir", folder),
        "resume=auto",
        "trainer.requeue=false",
        "hydra.mode=RUN",
    ]
    return [*words, *flags(hydra), *arguments, *own]


def gpus(per_trial: int | Literal["auto"] | None, config: DictConfig) -> int | Literal["auto"] | None:
    """How many of the machine's GPUs a trial takes; None if it may use all."""
    on_cpu = (repeated(config) if config.get("repeat") else config).trainer.accelerator == "cpu"
    return 0 if on_cpu and per_trial is not None else per_trial


def follow(command: list[str], folder: Path, sweep: SweepDirectory, grace: float) -> None:
    """Run a rank that srun started beside the leading one: it starts when that one does, or never."""
    while is_due(folder, sweep) and read_record(folder).get("attempt") != attempt():
        time.sleep(POLL)
    record = read_record(folder)
    if record.get("attempt") == attempt() and record.get("status") == "running":
        with (folder / f"output-{os.environ.get('SLURM_PROCID')}.log").open("a") as log:
            wait_for(start(command, log, environment(folder, sweep)), sweep, Limits(None, grace))


def attempt() -> str | None:
    """The name of one try at a job, the same in all its processes. A job that SLURM queues again keeps its id."""
    name = job()
    return name and f"{name}.{os.environ.get('SLURM_RESTART_COUNT', '0')}"


def is_due(folder: Path, sweep: SweepDirectory) -> bool:
    return sweep.stopped_by() is None and read_record(folder).get("status") not in FINISHED


def run_to_end(
    command: list[str], folder: Path, sweep: SweepDirectory, lock: int, devices: dict[str, str], limits: Limits
) -> None:
    """Run the trial to its end, and print a line when it starts and when it ends."""
    record, started = read_record(folder), time.monotonic()
    label = f"trial {record['number']} ({' '.join(f'{k}={brief(v)}' for k, v in record['overrides'].items())})"
    print(f"{label}: {'continues' if 'seconds' in record else 'starts'}, {folder / LOG}", flush=True)
    with (folder / LOG).open("a") as log:
        printed_before = log.tell()
        process = start(command, log, environment(folder, sweep) | devices, keep=lock)
        ending = wait_for(process, sweep, limits)
    taken = time.monotonic() - started
    status, error = outcome(folder, ending, printed(folder / LOG, printed_before))
    update_record(folder, status=status, error=error, seconds=round(record.get("seconds", 0) + taken, 1))
    trial = read_trial(folder)
    assert trial is not None
    detail = error.splitlines()[0] if error else f"{record['monitor']} {trial.value}" if trial.value is not None else ""
    print(f"{label}: {status} after {taken:.0f} s{', ' if detail else ''}{detail}", flush=True)
    raise_again(ending)


def raise_again(ending: Ending) -> None:
    """Let a signal that this process received during the trial do what it would have done without a trial."""
    if ending.received is not None:
        signal.raise_signal(ending.received)


def environment(folder: Path, sweep: SweepDirectory) -> dict[str, str]:
    """The environment of a trial: without the rank of what started the sweep, with its record and its W&B group."""
    kept = {name: value for name, value in os.environ.items() if name not in (*TORCHRUN, "WANDB_SERVICE")}
    group = {"WANDB_RUN_GROUP": sweep.path.resolve().name, "WANDB_JOB_TYPE": "trial"}
    return group | kept | {"PYTHONUNBUFFERED": "1", "VARIFORMER_TRIAL": str((folder / RECORD).resolve())}


def printed(log: Path, start: int) -> str:
    with log.open(errors="replace") as file:
        file.seek(start)
        return file.read()
