"""Lightning's hook for checkpoint files."""

import logging
from collections.abc import Callable
from pathlib import Path

import torch
from lightning.fabric.plugins.io import CheckpointIO, TorchCheckpointIO
from torch import UntypedStorage

from ...run_directory.checkpoint_files import File, checksum_of, failure, problem_of, read, write
from ..contract import State

log = logging.getLogger(__name__)

MapLocation = torch.device | str | Callable[[UntypedStorage, str], UntypedStorage] | None


class WholeCheckpointIO(TorchCheckpointIO):
    """Lightning's hook for reading and writing checkpoints. A file's SHA-256 lies beside it.

    A save that the disk refuses leaves the earlier files as they are. Up to `tolerated` such saves in a row are only
    warnings, and the run goes on; the next one raises OSError. Loading unpickles only tensors and plain data, whatever
    the environment says. It raises ValueError on a file whose bytes are not those that were written.
    """

    def __init__(self, tolerated: int = 0):
        super().__init__()
        self.tolerated = tolerated
        self.failures: list[str] = []  # of the saves since the last that succeeded

    def save_checkpoint(self, checkpoint: State, path: str | Path, storage_options: object = None) -> None:
        path, file = Path(path), File()
        try:
            write(checkpoint, path, file)
        except OSError as error:
            self.failures.append(failure(path, error, file.size))
            if len(self.failures) > self.tolerated:
                raise OSError(error.errno, "\n".join(self.failures)) from error
            log.warning(
                "%s. The run goes on without it, until %d saves in a row fail", self.failures[-1], self.tolerated + 1
            )
        else:
            self.failures.clear()

    def load_checkpoint(
        self,
        path: str | Path,
        map_location: MapLocation = lambda storage, _: storage,
        weights_only: bool | None = None,
    ) -> State:
        path = Path(path)
        if problem := problem_of(path):
            others = ", ".join(sorted(each.name for each in path.parent.glob("*.ckpt") if each != path)) or "none"
            raise ValueError(f"{path} is refused: {problem}. Copy it again, or take another (there: {others})")
        return read(path, map_location=map_location)

    def remove_checkpoint(self, path: str | Path) -> None:
        Path(path).unlink(missing_ok=True)
        checksum_of(path).unlink(missing_ok=True)


def failed_saves(checkpoints: CheckpointIO) -> list[str]:
    """What went wrong with each save since the last that succeeded."""
    return checkpoints.failures if isinstance(checkpoints, WholeCheckpointIO) else []


def require_saved(checkpoints: CheckpointIO) -> None:
    """Raises OSError where the newest save failed: a run is not done without its weights."""
    if failures := failed_saves(checkpoints):
        raise OSError("\n".join(failures))
