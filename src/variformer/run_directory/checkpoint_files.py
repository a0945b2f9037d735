"""Checkpoint files, which are either complete or absent: written under another name, flushed, checked and renamed."""

import os
import pickle
import platform
import shutil
import zipfile
from hashlib import file_digest, sha256
from pathlib import Path
from typing import IO, Any

import torch
from torch.serialization import get_unsafe_globals_in_checkpoint


def glance(path: Path) -> dict[str, Any]:
    """The content of a checkpoint that was checked before. The bytes of a tensor are only read when it is used."""
    return read(path, map_location="cpu", mmap=True)


def read(path: Path, **how: Any) -> dict[str, Any]:
    """The content of a checkpoint. Raises ValueError where reading it would run code."""
    if os.environ.get("TORCH_FORCE_NO_WEIGHTS_ONLY_LOAD"):
        raise ValueError("TORCH_FORCE_NO_WEIGHTS_ONLY_LOAD lets checkpoints run code: unset it")
    try:
        return torch.load(path, weights_only=True, **how)
    except (pickle.UnpicklingError, EOFError) as error:
        reason = str(error).partition("WeightsUnpickler error: ")[2].partition("\n")[0] or type(error).__name__
        raise ValueError(f"{path} is refused: it is no checkpoint, or would run code when read ({reason})") from None


def write(checkpoint: dict[str, Any], path: Path, file: "File") -> None:
    """Write a checkpoint and its SHA-256. `file` counts the bytes.

    Raises OSError where the disk refuses, and TypeError where the checkpoint could not be loaded safely.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = temporary_of(path)
    try:
        with temporary.open("wb") as opened:
            file.fill(checkpoint, opened)
        require_plain_data(temporary)
        digest = file.digest.hexdigest()
        old = checksum_of(path).read_text() if path.is_file() and checksum_of(path).is_file() else ""
        write_sums(path, digest + "\n" + old)  # after a crash in between, either file may be there
        os.replace(temporary, path)
        if old:
            write_sums(path, digest + "\n")
        flush_folder(path.parent)
    finally:
        temporary.unlink(missing_ok=True)


class File:
    """The file object that torch.save writes to. It computes the SHA-256 of what is written.

    torch.save hides an error of the disk and the exception of a signal, so both are kept here and raised by `fill`.
    After an error the bytes are only counted, so that the message can say how much space is needed.
    """

    def __init__(self) -> None:
        self.digest, self.size = sha256(), 0
        self.error: BaseException | None = None

    def fill(self, checkpoint: dict[str, Any], opened: IO[bytes]) -> None:
        self.opened = opened
        torch.save(checkpoint, self)  # type: ignore[arg-type]  # it needs write and flush alone
        if self.error is not None:
            raise self.error
        opened.flush()
        os.fsync(opened.fileno())

    def write(self, data: bytes | memoryview) -> int:
        try:
            self.size += len(data)
            if self.error is None:
                self.opened.write(data)
                self.digest.update(data)
        except BaseException as error:
            self.error = error
        return len(data)

    def flush(self) -> None:
        """Once at the end, by `fill`."""


def require_plain_data(file: Path) -> None:
    """Raises TypeError where a checkpoint holds objects, which safe loading refuses."""
    if found := get_unsafe_globals_in_checkpoint(str(file)):
        raise TypeError(
            f"the checkpoint would hold {', '.join(sorted(found))}, which safe loading refuses: let every "
            "state_dict and on_save_checkpoint, of callbacks above all, give tensors and plain data alone"
        )


def failure(path: Path, error: OSError, size: int) -> str:
    """A message about a save that failed: the file, the reason, and the space that is needed and free."""
    folder = next(each for each in path.absolute().parents if each.is_dir())
    free = shutil.disk_usage(folder).free
    needed = f"It needs {size / 1e6:,.1f} MB, and the disk" if size else "The disk"
    return (
        f"{path} was not saved: {error.strerror or error}. {needed} of {folder} has {free / 1e6:,.1f} MB free. "
        "Earlier checkpoints are untouched"
    )


def problem_of(path: Path) -> str | None:
    """Why a checkpoint, or the one that `path` links to, is not complete; None where it is."""
    path = path.resolve()
    if not path.is_file():
        return "it is not there"
    if not checksum_of(path).is_file():
        return f"{checksum_of(path).name} is missing, which shows whether the file is complete"
    try:
        with path.open("rb") as file:
            found = file_digest(file, "sha256").hexdigest()
        if found not in checksum_of(path).read_text(encoding="ascii", errors="replace").split():
            return f"it is not what was written: its SHA-256 differs from {checksum_of(path).name}"
        with zipfile.ZipFile(path) as archive:
            is_checkpoint = any(name.endswith("/data.pkl") for name in archive.namelist())
        return None if is_checkpoint else "it is no checkpoint, whatever its SHA-256"
    except zipfile.BadZipFile:
        return "it is no checkpoint, whatever its SHA-256"
    except OSError as error:
        return f"it cannot be read ({error.strerror})"


def checksum_of(path: str | Path) -> Path:
    path = Path(path)
    return path.with_name(path.name + ".sha256")


def digest_of(path: Path) -> str:
    """The SHA-256 of a checkpoint, or of the one that `path` links to, as noted when it was written."""
    noted = checksum_of(path.resolve())
    return next(iter(noted.read_text(encoding="ascii", errors="replace").split()), "") if noted.is_file() else ""


def temporary_of(path: Path) -> Path:
    """A hidden file beside `path`; its name holds the process and the machine that write it."""
    return path.with_name(f".{path.name}.{os.getpid()}@{platform.node()}.tmp")


def write_sums(path: Path, sums: str) -> None:
    temporary = temporary_of(checksum_of(path))
    try:
        with temporary.open("w") as file:
            file.write(sums)
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, checksum_of(path))
    finally:
        temporary.unlink(missing_ok=True)


def flush_folder(folder: Path) -> None:
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
