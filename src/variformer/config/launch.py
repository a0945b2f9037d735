"""How this process was started: by hand, or beside others by torchrun, srun or Lightning. Read from the environment."""

import hashlib
import os
import secrets
import sys
from datetime import datetime
from pathlib import Path

RANKS = ("RANK", "LOCAL_RANK", "NODE_RANK", "SLURM_PROCID")
INTERACTIVE = ("bash", "interactive")  # what SLURM calls the job of a shell, in which one types many commands


def leads() -> bool:
    """Whether this is global rank zero, the one process that writes to the run directory."""
    return all(os.environ.get(name, "0") == "0" for name in RANKS)


def stamp() -> str:
    """What sets a run's directory apart: the time and a random id, or what all processes of one job have in common.

    A job that SLURM requeues has the same stamp again, and so finds its run.
    """
    shared = job()
    if shared is None:
        return f"{datetime.now():%Y-%m-%d_%H-%M-%S-%f}-{secrets.token_hex(4)}"
    command = hashlib.sha256("\0".join(sys.argv[1:]).encode()).hexdigest()[:8]
    return f"{shared}-{command}"


def job() -> str | None:
    """The job that this process is a part of; None where no other process will ask for the same directory."""
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
    """Its id, that of the element of an array, and that of the step where `srun` started it: 4711_3.0."""
    environment = os.environ
    name = environment["SLURM_JOB_ID"]
    if "SLURM_ARRAY_TASK_ID" in environment:
        name = f"{environment.get('SLURM_ARRAY_JOB_ID', name)}_{environment['SLURM_ARRAY_TASK_ID']}"
    step = environment.get("SLURM_STEP_ID")
    return f"slurm-{name}" if step is None else f"slurm-{name}.{step}"


def typed_into_a_shell() -> bool:
    """Whether a SLURM job is a shell and this command was typed into it, one process alone."""
    several = int(os.environ.get("SLURM_STEP_NUM_TASKS", "1")) > 1
    return os.environ.get("SLURM_JOB_NAME") in INTERACTIVE and not several


def parent() -> str:
    """The process that started this one, by its number and, as numbers come again, when it began."""
    try:
        fields = Path(f"/proc/{os.getppid()}/stat").read_text().rpartition(")")[2].split()
        return f"{os.getppid()}-{fields[19]}"  # clock ticks since the machine started
    except OSError:  # not Linux
        return str(os.getppid())
