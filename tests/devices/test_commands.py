"""Several devices as a user asks for them."""

import json
import os
import socket
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
SMALL = ["debug=fast", "experiment=vit", "trainer.accelerator=cpu", "trainer.devices=2"]


BROKEN = """
import os
if os.environ.get("LOCAL_RANK") == "1":
    from variformer.training.module import Training
    step = Training.training_step
    def training_step(self, batch, index):
        if index == 2:
            raise RuntimeError("this rank is broken")
        return step(self, batch, index)
    Training.training_step = training_step
"""


def command(*words: str, folder: Path, **settings: str) -> subprocess.CompletedProcess:
    environment = {name: value for name, value in os.environ.items() if name not in ("LOCAL_RANK", "NODE_RANK")}
    return subprocess.run(
        [sys.executable, *words],
        cwd=folder,
        env=environment | {"OMP_NUM_THREADS": "1"} | settings,
        capture_output=True,
        text=True,
        timeout=280,
    )


def require_one_run(folder: Path) -> Path:
    """One directory, with what a run of one process leaves and nothing else."""
    (run,) = (folder / "runs" / "vit").iterdir()
    assert json.loads((run / "status.json").read_text())["status"] == "done"
    assert len(json.loads((run / "run.json").read_text())["sessions"]) == 1
    assert {path.name for path in run.iterdir()} - {"code.diff"} == {
        *("config.yaml", "run.json", "status.json", "metrics.json", "metrics.csv"),
        *("checkpoints", "figures", ".hydra", "train.log"),
    }
    rows = (run / "metrics.csv").read_text().splitlines()
    assert len({tuple(row.split(",")[:2]) for row in rows}) == len(rows)
    assert list(folder.iterdir()) == [folder / "runs"]
    return run


@pytest.mark.slow
@pytest.mark.parametrize("door", [(str(ROOT / "train.py"),), ("-m", "variformer", "train")], ids=["script", "module"])
def test_ddp_leaves_one_run_directory(tmp_path, door):
    done = command(*door, "trainer=ddp", *SMALL, folder=tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr
    require_one_run(tmp_path)
    assert done.stdout.count("run directory:") == 2  # when the run begins and when it ends
    assert "2 x cpu" in done.stdout
    assert "GLOBAL_RANK" not in done.stdout + done.stderr


@pytest.mark.slow
def test_torchrun_leaves_one_run_directory(tmp_path):
    launcher = ("-m", "torch.distributed.run", "--nproc-per-node=2", "--standalone")
    done = command(*launcher, str(ROOT / "train.py"), "trainer=fsdp", *SMALL, folder=tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr
    assert require_one_run(tmp_path).name.startswith("torchrun-")
    assert done.stdout.count("run directory:") == 2


@pytest.mark.slow
def test_two_nodes_leave_one_run_directory(tmp_path):
    """As their agents start them, on one machine."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port = listener.getsockname()[1]
    launcher = ["-m", "torch.distributed.run", "--nnodes=2", "--nproc-per-node=1", "--master-addr=127.0.0.1"]
    small = ["trainer=multinode", "trainer.nodes=2", *SMALL[:-1], "trainer.devices=1"]

    def node(rank: int) -> subprocess.CompletedProcess:
        agent = [*launcher, f"--master-port={port}", f"--node-rank={rank}"]
        return command(*agent, str(ROOT / "train.py"), *small, folder=tmp_path)

    with ThreadPoolExecutor() as pool:
        first, second = pool.map(node, range(2))
    assert first.returncode == second.returncode == 0, first.stdout + first.stderr + second.stdout + second.stderr
    require_one_run(tmp_path)
    assert first.stdout.count("run directory:") == 2 and "2 x cpu" in first.stdout
    assert "run directory:" not in second.stdout


@pytest.mark.slow
def test_a_rank_that_fails_ends_the_run(tmp_path):
    """No process waits for it, and the status says why."""
    (tmp_path / "sitecustomize.py").write_text(BROKEN)
    done = command(str(ROOT / "train.py"), "trainer=ddp", *SMALL, folder=tmp_path, PYTHONPATH=str(tmp_path))
    assert done.returncode != 0
    (run,) = (tmp_path / "runs" / "vit").iterdir()
    status = json.loads((run / "status.json").read_text())
    assert status["status"] == "failed" and "this rank is broken" in status["error"]
