"""A sweep's folder. Its name follows from the command, a trial's from the swept values: the same command finds both."""

import hashlib
import json
import os
import re
import shutil
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO, Any

from filelock import lock_descriptor

from ..config import ConfigError
from ..config.classes.moved import with_current_targets
from ..config.composing.repeating import changed_values
from ..run_directory.directory import write_json, write_text

ELSEWHERE = ("launch", "sweep_dir")  # where a sweep runs is no part of what it is
LONGEST = 100  # characters of a trial's folder, before its digest


class SweepDirectory:
    """Paths of a sweep."""

    def __init__(self, path: str | Path):
        self.path = Path(path)
        self.record = self.path / "sweep.json"
        self.lock = self.path / "lock"
        self.stop = self.path / "stop"  # there while a signal ends the sweep; holds the signal's number
        self.study = self.path / "study.db"

    def trial(self, overrides: Mapping[str, str]) -> Path:
        return self.path / subfolder(overrides)

    def stopped_by(self) -> int | None:
        """The signal that ends the sweep, if one does."""
        return int(self.stop.read_text()) if self.stop.exists() else None

    def request_stop(self, signum: int) -> None:
        write_text(self.stop, str(signum))

    @contextmanager
    def claimed(self, facts: dict[str, Any]) -> Iterator[None]:
        """Make it this process's own. Raises ConfigError where another runs it, or where it holds another sweep."""
        self.path.mkdir(parents=True, exist_ok=True)
        with self.lock.open("a+") as file:
            if not locked(file):
                file.seek(0)
                raise ConfigError(
                    [f"sweep_dir={self.path}: this sweep is running already, as process {file.read() or 'unknown'}"]
                )
            file.truncate(0)
            file.write(str(os.getpid()))
            file.flush()
            self.require_same(facts)
            write_json(self.record, facts)
            self.stop.unlink(missing_ok=True)
            yield

    def clear(self, whole: bool) -> None:
        """Remove the folders of trials that never began, or the `whole` sweep."""
        for folder in (self.path / "trials").glob("*"):
            record = folder / "trial.json"
            has_begun = not record.is_file() or "status" in json.loads(record.read_text())
            if not has_begun and {path.name for path in folder.iterdir()} <= {"trial.json", "lock"}:
                shutil.rmtree(folder)
        if whole:
            shutil.rmtree(self.path)
            with suppress(OSError):  # where other sweeps lie beside it
                self.path.parent.rmdir()

    def require_same(self, facts: dict[str, Any]) -> None:
        """Raises ConfigError where trials that are there would not be of this sweep."""
        earlier = facts | (json.loads(self.record.read_text()) if self.record.is_file() else {})
        problems = [
            f"holds another sweep, whose {name} part is {spelled(earlier[name])}, not {spelled(facts[name])}"
            for name in ("fixed", "space", "drawn_by")
            if earlier[name] != facts[name]
        ]
        if not problems:
            then, now = with_current_targets(earlier.get("config", {})), facts.get("config", {})
            lines = [line for choice in now for line in changed_values(then.get(choice, now[choice]), now[choice])]
            problems = [f"its trials have another config than there is now, {line}" for line in dict.fromkeys(lines)]
        if problems:
            cure = "change that back, or give this sweep a sweep_dir of its own"
            raise ConfigError([*(f"sweep_dir={self.path}: {problem}" for problem in problems), cure])


def folder_of(name: str, identity: Any) -> str:
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


def digest(value: Any) -> str:
    return hashlib.sha256(json.dumps(value).encode()).hexdigest()[:8]


def spelled(part: Sequence[str] | Mapping[str, str] | None) -> str:
    words = [f"{key}={value}" for key, value in part.items()] if isinstance(part, Mapping) else part
    return f"`{' '.join(words)}`" if words else "empty"


def locked(file: IO[str]) -> bool:
    """Lock an open file for as long as it, or a copy of it in a child process, is open; False if another has it."""
    return lock_descriptor(file.fileno(), blocking=False)


def in_use(folder: Path) -> bool:
    """Whether a process runs a trial there."""
    with (folder / "lock").open("a") as file:
        return not locked(file)


def key_of(override: str) -> str:
    return override.partition("=")[0].lstrip("+~")


def assigned(key: str, value: Any) -> str:
    """key='value', with the quotes that Hydra's grammar needs for a path."""
    escaped = str(value).replace("\\", "\\\\").replace("'", "\\'")
    return f"{key}='{escaped}'"
