"""Checkpoints on W&B."""

from pathlib import Path
from typing import TYPE_CHECKING, Literal

from ...run_directory.checkpoint_files import checksum_of
from ...run_directory.directory import RunDirectory

if TYPE_CHECKING:
    from wandb.sdk.wandb_run import Run

Kept = Literal["none", "best", "all"]
PATTERNS = {"none": "", "best": "best.ckpt", "all": "*.ckpt"}
SLOWEST = 2**20  # bytes per second; a slower upload is given up, and the file stays in the run directory


def upload(run: "Run", directory: RunDirectory, which: Kept) -> None:
    """Upload one artifact `model-<id>`, laid out as a run directory: it can be downloaded, evaluated and exported."""
    import wandb

    checkpoints = [path for path in directory.checkpoints.glob(PATTERNS[which] or "none") if not path.is_symlink()]
    if not checkpoints:
        return
    artifact = wandb.Artifact(f"model-{run.id}", type="model")
    files = [directory.config, directory.record, *directory.tokenizer.glob("*"), *checkpoints]
    files += [checksum_of(path) for path in checkpoints]
    for path in filter(Path.is_file, files):
        artifact.add_file(str(path), name=str(path.relative_to(directory.path)), policy="immutable")
    logged = run.log_artifact(artifact, aliases=["latest", "best"])
    if not run.offline:
        logged.wait(timeout=60 + artifact.size // SLOWEST)
