"""Lightning's hook for checkpoint files."""

import logging
from pathlib import Path
from typing import Any

from lightning.fabric.plugins.io import CheckpointIO, TorchCheckpointIO

from ...run_directory.checkpoint_files import File, checksum_of, failure, problem_of, read, write

log = logging.getLogger(__name__)


class WholeCheckpointIO(TorchCheckpointIO):
    """Lightning's hook for reading and writing checkpoints. A file's SHA-256 lies beside it.

    A save that the disk refuses leaves what was saved before as it is. So many in a row as are `tolerated` are only
    told, and the run goes on; the next raises OSError. Loading unpickles tensors and plain data alone, whatever the
    environment says, and raises ValueError on a file whose bytes are not those that were written.
    """

    def __init__(self, tolerated: int = 0):
        super().__init__()
        self.tolerated = tolerated
        self.failures: list[str] = []  # of the saves since the last that succeeded

    def save_checkpoint(self, checkpoint: dict[str, Any], path: str | Path, storage_options: Any | None = None) -> None:
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
        map_location: Any | None = lambda storage, _: storage,
        weights_only: bool | None = None,
    ) -> dict[str, Any]:
        path = Path(path)
        if problem := problem_of(path):
            others = ", ".join(sorted(each.name for each in path.parent.glob("*.ckpt") if each != path)) or "none"
            raise ValueError(f"{path} is refused: {problem}. Copy it again, or take another (there: {others})")
        return read(path, map_location=map_location)

    def remove_checkpoint(self, path: str | Path) -> None:
        Path(path).unlink(missing_ok=True)
        checksum_of(path).unlink(missing_ok=True)


def require_saved(checkpoints: CheckpointIO) -> None:
    """Raises OSError where the newest save failed: a run is not done without its weights."""
    if isinstance(checkpoints, WholeCheckpointIO) and checkpoints.failures:
        raise OSError("\n".join(checkpoints.failures))
