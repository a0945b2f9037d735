"""Checkpoint files that are whole or not there: written beside their place, flushed, checked and renamed."""

import hashlib
import os
from pathlib import Path
from typing import Any

import torch
from lightning.fabric.plugins.io import TorchCheckpointIO


class WholeCheckpointIO(TorchCheckpointIO):
    """Lightning's hook for reading and writing checkpoints. A file's SHA-256 lies beside it.

    Loading unpickles tensors and plain data alone, whatever the environment says, and raises ValueError on a file whose
    bytes are not those that were written.
    """

    def save_checkpoint(self, checkpoint: dict[str, Any], path: str | Path, storage_options: Any | None = None) -> None:
        path = Path(path)
        path.parent.mkdir(parents=True, exist_ok=True)
        temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
        try:
            with temporary.open("wb") as file:
                torch.save(checkpoint, file)
                file.flush()
                os.fsync(file.fileno())
            digest = sha256(temporary)
            old = checksum_of(path).read_text() if checksum_of(path).is_file() else ""
            _write_sums(path, digest + "\n" + old)  # for a crash in between, when either file may be the one there
            os.replace(temporary, path)
            _write_sums(path, digest + "\n")
            _flush_folder(path.parent)
        finally:
            temporary.unlink(missing_ok=True)

    def load_checkpoint(
        self,
        path: str | Path,
        map_location: Any | None = lambda storage, _: storage,
        weights_only: bool | None = None,
    ) -> dict[str, Any]:
        path = Path(path)
        if os.environ.get("TORCH_FORCE_NO_WEIGHTS_ONLY_LOAD"):
            raise ValueError("TORCH_FORCE_NO_WEIGHTS_ONLY_LOAD lets checkpoints run code: unset it")
        checksum = checksum_of(path)
        if checksum.is_file() and sha256(path) not in checksum.read_text().split():
            raise ValueError(f"{path} is not what was written: its SHA-256 differs from {checksum.name}")
        return torch.load(path, map_location=map_location, weights_only=True)

    def remove_checkpoint(self, path: str | Path) -> None:
        Path(path).unlink(missing_ok=True)
        checksum_of(path).unlink(missing_ok=True)


def checksum_of(path: str | Path) -> Path:
    path = Path(path)
    return path.with_name(path.name + ".sha256")


def sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _write_sums(path: Path, sums: str) -> None:
    temporary = checksum_of(path).with_suffix(f".{os.getpid()}.tmp")
    temporary.write_text(sums)
    os.replace(temporary, checksum_of(path))


def _flush_folder(folder: Path) -> None:
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
