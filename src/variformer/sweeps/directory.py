"""The folder of a sweep. Its name follows from the command, and a trial's from the swept values.

So the same command finds both again.
"""

import hashlib
import json
import os
import re
import shutil
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO, NotRequired, TypedDict

from ..config import ConfigError
from ..config.classes.moved import with_current_targets
from ..config.composing.earlier_runs import changed_values
from ..config.tree import Config
from ..run_directory.directory import write_json, write_text

NOT_IDENTITY = ("launch", "sweep_dir")  # where a sweep runs does not make it another sweep
LONGEST = 100  # characters of a trial's folder, before its digest


class Facts(TypedDict):
    """What sweep.json holds: what makes a sweep this one and no other."""

    fixed: list[str]
    space: Config | None
    drawn_by: Config | None  # of a search: the nodes of its sampler and its pruner
    config: NotRequired[dict[str, Config]]  # what trials start from, by the options that a swept group has


class SweepDirectory:
    """Paths of a sweep."""

    def __init__(self, path: str | Path):
        self.path = Path(path)
        self.record = self.path / "sweep.json"
        self.lock = self.path / "lock"
        self.stop = self.path / "stop"  # exists while a signal ends the sweep, and holds the signal's number
        self.study = self.path / "study.db"

    def trial(self, overrides: Mapping[str, str]) -> Path:
        return self.path / subfolder(overrides)

    def stopped_by(self) -> int | None:
        """The signal that ends the sweep; None if it goes on."""
        return int(self.stop.read_text()) if self.stop.exists() else None

    def request_stop(self, signum: int) -> None:
        write_text(self.stop, str(signum))

    @contextmanager
    def claimed(self, facts: Facts) -> Iterator[None]:
        """Lock the folder for this process.

        Raises ConfigError if another process runs this sweep, or if the folder holds another sweep.
        """
        self.path.mkdir(parents=True, exist_ok=True)
        with self.lock.open("a+") as file:
            if not locked(file):
                file.seek(0)
                owner = file.read() or "unknown"
                raise ConfigError([f"sweep_dir={self.path}: process {owner} already runs this sweep; wait for its end"])
            file.truncate(0)
            file.write(str(os.getpid()))
            file.flush()
            self.require_same(facts)
            write_json(self.record, facts)
            self.stop.unlink(missing_ok=True)
            yield

    def clear(self, everything: bool) -> None:
        """Remove the folders of trials that never started, or `everything`."""
        for folder in (self.path / "trials").glob("*"):
            record = folder / "trial.json"
            has_begun = not record.is_file() or "status" in json.loads(record.read_text())
            if not has_begun and {path.name for path in folder.iterdir()} <= {"trial.json", "lock"}:
                shutil.rmtree(folder)
        if everything:
            shutil.rmtree(self.path)
            with suppress(OSError):  # if other sweeps lie beside it
                self.path.parent.rmdir()

    def require_same(self, facts: Facts) -> None:
        """Raises ConfigError if the folder has trials that do not belong to this sweep."""
        earlier = facts.copy()
        if self.record.is_file():
            earlier.update(json.loads(self.record.read_text()))
        parts = {
            "fixed": (earlier["fixed"], facts["fixed"]),
            "space": (earlier["space"], facts["space"]),
            "drawn_by": (earlier["drawn_by"], facts["drawn_by"]),
        }
        problems = [
            f"holds another sweep, whose {name} part is {shown(then)}, not {shown(now)}"
            for name, (then, now) in parts.items()
            if then != now
        ]
        if not problems:
            before, after = with_current_targets(earlier.get("config", {})), facts.get("config", {})
            lines = [line for key in after for line in changed_values(before.get(key, after[key]), after[key])]
            problems = [f"its trials have another config than there is now, {line}" for line in dict.fromkeys(lines)]
        if problems:
            cure = "change that back, or give this sweep another folder with sweep_dir="
            raise ConfigError([*(f"sweep_dir={self.path}: {problem}" for problem in problems), cure])


def folder_of(name: str, identity: Sequence[object]) -> str:
    """sweeps/gpt_learning_rate-1f0c2a9b: the name of a sweep, and a digest of what makes it this sweep."""
    return f"sweeps/{safe(name)}-{digest(identity)}"


def subfolder(overrides: Mapping[str, str]) -> str:
    """trials/lr_0.001-positions_rotary-3fa2c1: readable, and different for different values."""
    words = [safe(f"{re.split('[./]', key)[-1]}_{brief(value)}") for key, value in sorted(overrides.items())]
    return f"trials/{'-'.join(words)[:LONGEST] or 'only'}-{digest(sorted(overrides.items()))[:6]}"


def brief(value: str) -> str:
    """Four digits of a number that has many; any other text as it is."""
    try:
        return f"{float(value):.4g}" if len(value) > 7 else value
    except ValueError:
        return value


def safe(text: str) -> str:
    return re.sub(r"[^A-Za-z0-9._]+", "_", text).strip("_.") or "x"


def digest(value: object) -> str:
    return hashlib.sha256(json.dumps(value).encode()).hexdigest()[:8]


def shown(part: Sequence[str] | Config | None) -> str:
    words = [f"{key}={value}" for key, value in part.items()] if isinstance(part, Mapping) else part
    return f"`{' '.join(words)}`" if words else "empty"


def locked(file: IO[str]) -> bool:
    """Lock an open file until it, and every copy of it in a child process, is closed; False if it is locked already."""
    from filelock import lock_descriptor

    return lock_descriptor(file.fileno(), blocking=False)


def in_use(folder: Path) -> bool:
    """Whether a process runs a trial in this folder."""
    with (folder / "lock").open("a") as file:
        return not locked(file)


def key_of(override: str) -> str:
    return override.partition("=")[0].lstrip("+~")


def assigned(key: str, value: object) -> str:
    """key='value', with the quotation marks that Hydra's grammar needs for a path."""
    escaped = str(value).replace("\\", "\\\\").replace("'", "\\'")
    return f"{key}='{escaped}'"
