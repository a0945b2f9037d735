"""The folders of configs: that of the package, and that of a user's own study."""

from pathlib import Path

PACKAGE = Path(__file__).resolve().parent
REPOSITORY = PACKAGE.parents[1]  # if the package is a checkout


def packaged() -> Path:
    """The folder of the package's configs: within an installed package, else conf/ of the checkout."""
    within = PACKAGE / "conf"
    return within if within.is_dir() else REPOSITORY / "conf"


def study() -> Path | None:
    """The folder conf/ in the working directory, whose options join those of the package; None if there is none.

    A folder conf/ in a run directory is ignored, because it may have been sent with the run.
    """
    folder = Path("conf").absolute()
    own = folder.is_dir() and not folder.samefile(packaged()) and not in_a_run(folder)
    return folder if own else None


def in_a_run(path: Path) -> bool:
    """Whether a file or folder, after all links, lies in a run directory or is one."""
    place = path.resolve()
    return any(is_run_directory(folder) for folder in (place, *place.parents))


def is_run_directory(folder: Path) -> bool:
    """Whether a folder holds the files that every run writes."""
    return (folder / "run.json").exists() or ((folder / "config.yaml").exists() and (folder / "checkpoints").exists())
