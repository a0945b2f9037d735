"""The run directory: one folder that holds all that a run was and made, and from which all later commands start."""

import hashlib
import json
import os
import platform
import subprocess
import sys
import time
import traceback
from collections.abc import Sequence
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any, Literal

from ..hub import read_json

SCHEMA = 1
PACKAGES = (
    "variformer",
    "torch",
    "lightning",
    "hydra-core",
    "tokenizers",
    "datasets",
    "torchvision",
    "numpy",
)
Status = Literal["running", "done", "failed", "preempted", "pruned"]


class RunDirectory:
    """The paths of a run and its small json files. Each write replaces the whole file at once, so that none is half
    written.

    Of several processes one `leads`. The others write nothing, except that they failed.
    """

    def __init__(self, path: str | Path, leads: bool = True):
        self.path, self.leads = Path(path), leads
        self.ending: dict[str, Any] = {}  # how training ended, once it has: for status.json
        self.config = self.path / "config.yaml"
        self.record = self.path / "run.json"
        self.status_file = self.path / "status.json"
        self.metrics = self.path / "metrics.json"
        self.curves = self.path / "metrics.csv"
        self.checkpoints = self.path / "checkpoints"
        self.tokenizer = self.path / "tokenizer"
        self.figures = self.path / "figures"
        self.samples = self.path / "samples"
        self.imported = self.path / "imported"  # the files of settings that came with an imported model
        self.precisions = self.imported / "precisions.json"  # the data type of each tensor that came with it

    def checkpoint(self, which: str = "last") -> Path:
        """The file of `last`, `best`, or a file name. Raises FileNotFoundError that lists the checkpoints that are
        there.
        """
        wanted = self.checkpoints / (which if which.endswith(".ckpt") else f"{which}.ckpt")
        if not wanted.is_file():
            there = ", ".join(sorted(p.name for p in self.checkpoints.glob("*.ckpt")))
            there = there or "none: the run has saved no weights; train it longer, or take another run"
            raise FileNotFoundError(f"no checkpoint {wanted.name} in {self.checkpoints} (there: {there})")
        return wanted

    def evaluation(self, split: str, checkpoint: str, note: str = "") -> Path:
        """The file for the metrics of a split. A `note` keeps apart what does not measure this run."""
        name = Path(checkpoint).name
        return self.path / f"metrics_{split}_{name}{note and f'_{note}'}.json"

    def evaluation_folder(self, split: str, checkpoint: str, note: str = "") -> Path:
        """The folder for what an evaluation leaves besides metrics, named as the file of `evaluation`."""
        return self.path / "evaluations" / self.evaluation(split, checkpoint, note).stem.removeprefix("metrics_")

    def status(self) -> str | None:
        return json.loads(self.status_file.read_text())["status"] if self.status_file.is_file() else None

    def set_status(self, status: Status, error: BaseException | None = None) -> None:
        """Write status.json. Of several processes that fail, the first one has the cause, so that it is not
        overwritten.
        """
        if status == "failed" and self.status() == "failed":
            return
        if not (self.leads or (status == "failed" and self.status() == "running")):
            return
        content: dict[str, Any] = {"status": status, "time": time.strftime("%Y-%m-%dT%H:%M:%S%z"), "pid": os.getpid()}
        if error is not None:
            content["error"] = repr(error) if status == "failed" else str(error) or type(error).__name__
        if error is not None and status == "failed":  # a stop is no error
            content["traceback"] = "".join(traceback.format_exception(error))
        write_json(self.status_file, content | self.ending)

    def facts(self) -> dict[str, Any]:
        """The content of run.json; empty where there is none. Raises ValueError where the file is damaged."""
        return read_json(self.record) if self.record.is_file() else {}

    def set_record(self, *, changed: Sequence[str] = (), **facts: Any) -> None:
        """Write what is needed to repeat the run. On a resumed run, the earlier sessions stay listed.

        `changed` are the values of the config that this session changed.
        """
        earlier = self.facts()
        session: dict[str, Any] = {"started": time.strftime("%Y-%m-%dT%H:%M:%S%z")}
        session |= {"command": [sys.executable, *sys.orig_argv[1:]]} | ({"changed": list(changed)} if changed else {})
        former = earlier.get("sessions", [])
        sessions = [*former, session | environment()]
        self.keep_code(former, sessions[-1]["code"].get("diff_sha256"))
        write_json(self.record, {"schema": SCHEMA} | earlier | facts | {"sessions": sessions})

    def keep_code(self, former: list[dict[str, Any]], digest: str | None) -> None:
        """Write the difference to the commit, for `git apply`: code.diff, or code.2.diff where a second session has
        another.
        """
        if digest and all(session["code"].get("diff_sha256") != digest for session in former):
            number = f".{len(former) + 1}" if former else ""
            (self.path / f"code{number}.diff").write_bytes(difference())

    def amend_record(self, **facts: Any) -> None:
        """Add facts to run.json that were known only later."""
        write_json(self.record, self.facts() | facts)


def write_json(path: Path, value: Any) -> None:
    write_text(path, json.dumps(value, indent=2, default=str) + "\n")


def write_text(path: Path, text: str) -> None:
    write_bytes(path, text.encode())


def write_bytes(path: Path, content: bytes) -> None:
    temporary = path.with_suffix(f".{os.getpid()}.tmp")
    try:
        with temporary.open("wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())  # before the name moves, or a power cut may leave an empty file
        os.replace(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)  # the disk may be full


def environment() -> dict[str, Any]:
    """Versions, hardware and code state of this process."""
    import torch

    gpus = [torch.cuda.get_device_name(i) for i in range(torch.cuda.device_count())]
    return {
        "python": platform.python_version(),
        "packages": {name: _version(name) for name in PACKAGES},
        "hardware": {
            "cpu": _cpu(),
            "cores": os.cpu_count(),
            "threads": torch.get_num_threads(),
            "gpus": gpus,
        },
        "code": code_state(),
    }


def code_state() -> dict[str, Any]:
    """The commit of the code that runs, and a digest of the uncommitted changes.

    Empty outside a repository, and where the package is installed into a folder of a repository that does not hold it.
    """
    here = Path(__file__).parent
    try:
        _git(here, "ls-files", "--error-unmatch", Path(__file__).name)
        commit = _git(here, "rev-parse", "HEAD").decode().strip()
        changes = difference()
        untracked = _git(here, "ls-files", "--others", "--exclude-standard", "--full-name", ":/src", ":/conf")
    except (OSError, subprocess.SubprocessError):
        return {}
    digest = hashlib.sha256(changes).hexdigest() if changes else None
    names = untracked.decode().splitlines()
    return {"commit": commit, "dirty": bool(changes), "diff_sha256": digest, "untracked": names}


def difference() -> bytes:
    """The uncommitted changes of tracked files."""
    return _git(Path(__file__).parent, "diff", "HEAD", "--binary")


def _git(folder: Path, *arguments: str) -> bytes:
    return subprocess.run(["git", *arguments], cwd=folder, capture_output=True, check=True, timeout=20).stdout


def _version(package: str) -> str | None:
    try:
        return version(package)
    except PackageNotFoundError:
        return None


def _cpu() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
        return next(line.split(":")[1].strip() for line in lines if line.startswith("model name"))
    except (OSError, StopIteration):
        return platform.processor() or platform.machine()
