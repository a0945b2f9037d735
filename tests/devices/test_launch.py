"""Which directory a process takes, and whether it may write there, by how it was started."""

import os
import subprocess
import sys

import pytest

from variformer import processes

LAUNCHERS = ("SLURM_", "TORCHELASTIC_", "GROUP_", "MASTER_", "RANK", "LOCAL_RANK", "NODE_RANK", "WORLD_SIZE")


@pytest.fixture
def started(monkeypatch):
    """started(command=(...), NAME=value, ...) sets what a launcher would, and nothing else."""

    def start(command: tuple[str, ...] = ("experiment=gpt",), **variables: str) -> None:
        for name in [name for name in os.environ if name.startswith(LAUNCHERS)]:
            monkeypatch.delenv(name)
        for name, value in variables.items():
            monkeypatch.setenv(name, value)
        monkeypatch.setattr(sys, "argv", ["train.py", *command])

    return start


def test_runs_started_by_hand_have_directories_of_their_own(started):
    started()
    assert len({processes.stamp() for _ in range(100)}) == 100


@pytest.mark.parametrize(
    "ranks",
    [
        [{"SLURM_JOB_ID": "7", "SLURM_STEP_ID": "0", "SLURM_PROCID": str(rank)} for rank in range(4)],
        [{"TORCHELASTIC_RUN_ID": "a-run", "RANK": str(rank), "LOCAL_RANK": str(rank)} for rank in range(4)],
        [{"TORCHELASTIC_RUN_ID": "none", "RANK": str(rank), "LOCAL_RANK": str(rank)} for rank in range(4)],
        [
            {"TORCHELASTIC_RUN_ID": "none", "GROUP_WORLD_SIZE": "2", "RANK": str(rank), "MASTER_ADDR": "a"}
            for rank in range(2)
        ],
        [{"NODE_RANK": str(rank), "MASTER_ADDR": "a", "MASTER_PORT": "1"} for rank in range(2)],
    ],
    ids=["srun", "torchrun", "torchrun without an id", "torchrun on two nodes", "nodes by hand"],
)
def test_ranks_started_together_share_a_directory_and_one_leads(started, ranks):
    stamps, leaders = set(), 0
    for variables in ranks:
        started(**variables)
        stamps.add(processes.stamp())
        leaders += processes.leads()
    assert len(stamps) == 1
    assert leaders == 1


def test_a_requeued_job_finds_its_run(started):
    started(SLURM_JOB_ID="7")
    first = processes.stamp()
    started(SLURM_JOB_ID="7", SLURM_RESTART_COUNT="1")
    assert processes.stamp() == first


@pytest.mark.parametrize(
    "other",
    [
        {"SLURM_JOB_ID": "8"},
        {"SLURM_JOB_ID": "7", "SLURM_STEP_ID": "1"},
        {"SLURM_JOB_ID": "7", "SLURM_ARRAY_JOB_ID": "7", "SLURM_ARRAY_TASK_ID": "2"},
        {"SLURM_JOB_ID": "7", "command": ("experiment=bert",)},
    ],
    ids=["job", "step", "element of an array", "command"],
)
def test_other_jobs_have_other_directories(started, other):
    started(SLURM_JOB_ID="7")
    first = processes.stamp()
    started(**other)
    assert processes.stamp() != first


def test_commands_of_one_slurm_shell_have_own_directories(started):
    started(SLURM_JOB_ID="7", SLURM_JOB_NAME="interactive")
    assert processes.stamp() != processes.stamp()
    started(SLURM_JOB_ID="7", SLURM_JOB_NAME="interactive", SLURM_STEP_ID="3", SLURM_STEP_NUM_TASKS="2")
    assert processes.stamp() == processes.stamp()  # but not the tasks of an srun


def test_the_other_processes_run_the_same_command(started, monkeypatch, tmp_path):
    from lightning.fabric.plugins.environments import LightningEnvironment
    from lightning.pytorch.strategies.launchers import subprocess_script

    from variformer.training.devices.launcher import Launcher
    from variformer.training.lightning_private import ScriptLauncher

    started()
    for name in ("MASTER_ADDR", "MASTER_PORT", "NODE_RANK", "LOCAL_RANK", "WORLD_SIZE"):
        monkeypatch.setenv(name, "0")  # the launcher sets them, and they must not outlive this test
    program, commands = tmp_path / "variformer", []
    program.touch()
    monkeypatch.setattr(sys, "argv", [str(program), "seed=1"])
    monkeypatch.setattr(subprocess_script.subprocess, "Popen", lambda command, **_: commands.append(command))
    Launcher(ScriptLauncher(LightningEnvironment(), num_processes=3, num_nodes=1))._call_children_scripts()
    assert [command[-2:] for command in commands] == [["train", "seed=1"]] * 2
    assert sys.argv == [str(program), "seed=1"]


def test_two_launches_without_an_id_have_own_directories():
    """torchrun's static rendezvous names every run "none": the process that started the ranks tells them apart."""
    code = "import sys; from variformer import processes; print(processes.stamp())"
    agent = f"import subprocess, sys; [subprocess.run([sys.executable, '-c', {code!r}]) for _ in range(2)]"
    launches = [
        subprocess.run(
            [sys.executable, "-c", agent],
            env=os.environ | {"TORCHELASTIC_RUN_ID": "none"},
            capture_output=True,
            text=True,
            check=True,
            timeout=120,
        ).stdout.split()
        for _ in range(2)
    ]
    assert [len(stamps) for stamps in launches] == [2, 2]
    assert [len(set(stamps)) for stamps in launches] == [1, 1]
    assert launches[0] != launches[1]
