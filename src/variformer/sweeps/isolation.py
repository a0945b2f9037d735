"""One trial: a process of its own, which cannot end, slow down or repeat the sweep that it is part of."""

import os
import signal
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal

from hydra.core.hydra_config import HydraConfig
from hydra.types import RunMode
from omegaconf import DictConfig

from ..config import leads
from ..config.composing.overrides import typed
from ..config.composing.repeating import repeated
from ..config.launch import job
from .devices import reserved
from .directory import ELSEWHERE, SweepDirectory, assigned, brief, key_of, locked
from .outcome import Ending, outcome
from .planning import flags
from .process import attend, start
from .trials import RECORD, SETTLED, read_record, read_trial, update_record

LOG = "output.log"  # what the trial printed
POLL = 0.5  # seconds
TORCHRUN = (  # what it, and Lightning, set in each rank
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
    """Whether Hydra called its main for one job of a multirun."""
    return HydraConfig.get().mode == RunMode.MULTIRUN


def run_trial(words: Sequence[str], config: DictConfig) -> None:
    """A job of Hydra's multirun: runs a command with the job's overrides in the job's folder, and notes the outcome.

    `words` start the command. Whatever launched the job, nothing but this starts the trial, and a folder's lock is held
    while one runs in it.
    """
    if signal.getsignal(signal.SIGINT) is signal.default_int_handler:
        signal.signal(signal.SIGINT, signal.SIG_IGN)  # a launcher's worker: the sweep will tell it
    hydra = HydraConfig.get()
    sweep = SweepDirectory(hydra.sweep.dir)
    folder = sweep.path / hydra.sweep.subdir
    command = command_of(words, folder, sweep, hydra)
    if not leads():
        follow(command, folder, sweep, hydra.sweeper.grace)
        return
    with (folder / "lock").open("a") as lock:
        while not locked(lock) and sweep.stopped_by() is None:
            time.sleep(POLL)  # an earlier process of this trial is still ending
        if not is_due(folder, sweep):
            return
        try:
            lead(command, folder, sweep, lock.fileno(), config, hydra.sweeper)
        except Exception as error:  # followers must not wait for it
            update_record(folder, status="failed", error=repr(error), attempt=attempt())
            raise


def lead(command: list[str], folder: Path, sweep: SweepDirectory, lock: int, config: DictConfig, settings: Any) -> None:
    """Run the trial as soon as there are devices for it."""
    with reserved(gpus(settings, config), settings.n_jobs, sweep.stopped_by) as devices:
        if is_due(folder, sweep):
            update_record(folder, status="running", error=None, command=command, attempt=attempt())
            watch(command, folder, sweep, lock, devices, settings)


def command_of(words: Sequence[str], folder: Path, sweep: SweepDirectory, hydra: Any) -> list[str]:
    arguments = [each for each in typed(hydra.overrides.task) if key_of(each) not in ELSEWHERE]
    own = [
        assigned("sweep_dir", sweep.path),
        assigned("run_dir", folder),
        "resume=auto",
        "trainer.requeue=false",
        "hydra.mode=RUN",
    ]
    return [*words, *flags(hydra), *arguments, *own]


def gpus(settings: Any, config: DictConfig) -> int | Literal["auto"] | None:
    """How many of a machine's a trial takes; None where it may use all."""
    on_cpu = (repeated(config) if config.get("repeat") else config).trainer.accelerator == "cpu"
    return 0 if on_cpu and settings.gpus_per_trial is not None else settings.gpus_per_trial


def follow(command: list[str], folder: Path, sweep: SweepDirectory, grace: float) -> None:
    """A rank that srun started beside the one that leads: it starts when that does, or never."""
    while is_due(folder, sweep) and read_record(folder).get("attempt") != attempt():
        time.sleep(POLL)
    record = read_record(folder)
    if record.get("attempt") == attempt() and record.get("status") == "running":
        with (folder / f"output-{os.environ.get('SLURM_PROCID')}.log").open("a") as log:
            attend(start(command, log, environment(folder, sweep)), sweep, None, grace)


def attempt() -> str | None:
    """What the processes of one try at a job have in common; one that SLURM queues again keeps its id."""
    name = job()
    return name and f"{name}.{os.environ.get('SLURM_RESTART_COUNT', '0')}"


def is_due(folder: Path, sweep: SweepDirectory) -> bool:
    return sweep.stopped_by() is None and read_record(folder).get("status") not in SETTLED


def watch(
    command: list[str], folder: Path, sweep: SweepDirectory, lock: int, devices: dict[str, str], settings: Any
) -> None:
    """Run the trial to its end; a line on the screen when it starts and when it ends."""
    record, began = read_record(folder), time.monotonic()
    label = f"trial {record['number']} ({' '.join(f'{k}={brief(v)}' for k, v in record['overrides'].items())})"
    print(f"{label}: {'continues' if 'seconds' in record else 'starts'}, {folder / LOG}", flush=True)
    with (folder / LOG).open("a") as log:
        told_before = log.tell()
        process = start(command, log, environment(folder, sweep) | devices, keep=lock)
        ending = attend(process, sweep, settings.timeout, settings.grace)
    taken = time.monotonic() - began
    status, error = outcome(folder, ending, printed(folder / LOG, told_before))
    update_record(folder, status=status, error=error, seconds=round(record.get("seconds", 0) + taken, 1))
    trial = read_trial(folder)
    assert trial is not None
    detail = error.splitlines()[0] if error else f"{record['monitor']} {trial.value}" if trial.value is not None else ""
    print(f"{label}: {status} after {taken:.0f} s{', ' if detail else ''}{detail}", flush=True)
    pass_on(ending)


def pass_on(ending: Ending) -> None:
    """A signal that this process got while it watched now does what it would have done without a trial."""
    if ending.received is not None:
        signal.raise_signal(ending.received)


def environment(folder: Path, sweep: SweepDirectory) -> dict[str, str]:
    """Of a trial: no rank of whatever started the sweep, told where its own record is, and one of W&B's group."""
    kept = {name: value for name, value in os.environ.items() if name not in (*TORCHRUN, "WANDB_SERVICE")}
    group = {"WANDB_RUN_GROUP": sweep.path.resolve().name, "WANDB_JOB_TYPE": "trial"}
    return group | kept | {"PYTHONUNBUFFERED": "1", "VARIFORMER_TRIAL": str((folder / RECORD).resolve())}


def printed(log: Path, start: int) -> str:
    with log.open(errors="replace") as file:
        file.seek(start)
        return file.read()
