"""Where configs lie: those of the package, and those of a user's own study."""

from pathlib import Path

PACKAGE = Path(__file__).resolve().parent
REPOSITORY = PACKAGE.parents[1]  # where the package is a checkout


def packaged() -> Path:
    """The folder of the package's own configs: within the package where it is installed, else the checkout's conf/."""
    within = PACKAGE / "conf"
    return within if within.is_dir() else REPOSITORY / "conf"


def study() -> Path | None:
    """The folder conf/ in the working directory, whose options join those of the package; None where there is none.

    One that lies in a run came with the run, and is no study.
    """
    folder = Path("conf").absolute()
    own = folder.is_dir() and not folder.samefile(packaged()) and not in_a_run(folder)
    return folder if own else None


def in_a_run(path: Path) -> bool:
    """Whether a file or folder, wherever links lead to, lies in the directory of a run or is one."""
    place = path.resolve()
    return any(is_record(folder) for folder in (place, *place.parents))


def is_record(folder: Path) -> bool:
    """Whether a folder holds what a run leaves."""
    return (folder / "run.json").exists() or ((folder / "config.yaml").exists() and (folder / "checkpoints").exists())
