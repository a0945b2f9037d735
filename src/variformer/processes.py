"""Which process of a job this is, and which job: one of torchrun, srun or Lightning. Read from the environment."""

import hashlib
import os
import secrets
import sys
from datetime import datetime
from pathlib import Path

RANKS = ("RANK", "LOCAL_RANK", "NODE_RANK", "SLURM_PROCID")
INTERACTIVE = ("bash", "interactive")  # the names of SLURM's jobs that are a shell, in which users type commands


def leads() -> bool:
    """Whether this is global rank zero, the only process that writes to the run directory."""
    return all(os.environ.get(name, "0") == "0" for name in RANKS)


def stamp() -> str:
    """What makes the name of a run's directory unique: the time and a random id, or the name of the job.

    All processes of a job have the same stamp. A job that SLURM requeues has the same one again, and so finds its run.
    """
    shared = job()
    if shared is None:
        return f"{datetime.now():%Y-%m-%d_%H-%M-%S-%f}-{secrets.token_hex(4)}"
    command = hashlib.sha256("\0".join(sys.argv[1:]).encode()).hexdigest()[:8]
    return f"{shared}-{command}"


def job() -> str | None:
    """The name of the job of this process; None if no other process uses the same directory."""
    environment = os.environ
    if "SLURM_JOB_ID" in environment and not typed_into_a_shell():
        return slurm_job()
    name = environment.get("TORCHELASTIC_RUN_ID")
    if name is not None and name != "none":
        return f"torchrun-{''.join(c if c.isalnum() or c in '-_' else '_' for c in name)}"
    if name is not None and environment.get("GROUP_WORLD_SIZE", "1") == "1":
        return f"torchrun-{parent()}"
    if name is not None or ("NODE_RANK" in environment and "LOCAL_RANK" not in environment):
        return f"nodes-{environment.get('MASTER_ADDR', 'localhost')}-{environment.get('MASTER_PORT', '')}"
    return None


def slurm_job() -> str:
    """The job's id, its place in an array of jobs, and the step if `srun` started it: slurm-4711_3.0."""
    environment = os.environ
    name = environment["SLURM_JOB_ID"]
    if "SLURM_ARRAY_TASK_ID" in environment:
        name = f"{environment.get('SLURM_ARRAY_JOB_ID', name)}_{environment['SLURM_ARRAY_TASK_ID']}"
    step = environment.get("SLURM_STEP_ID")
    return f"slurm-{name}" if step is None else f"slurm-{name}.{step}"


def typed_into_a_shell() -> bool:
    """Whether a SLURM job is a shell, into which the user typed this command of one process."""
    several = int(os.environ.get("SLURM_STEP_NUM_TASKS", "1")) > 1
    return os.environ.get("SLURM_JOB_NAME") in INTERACTIVE and not several


def parent() -> str:
    """The process that started this one: its number and, since numbers are used again, when it began."""
    try:
        fields = Path(f"/proc/{os.getppid()}/stat").read_text().rpartition(")")[2].split()
        return f"{os.getppid()}-{fields[19]}"  # clock ticks since the machine started
    except OSError:  # not Linux
        return str(os.getppid())
