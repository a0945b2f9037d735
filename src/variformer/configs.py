"""Where configs lie: those of the package, and those of a user's own study."""

from pathlib import Path

PACKAGE = Path(__file__).resolve().parent
REPOSITORY = PACKAGE.parents[1]  # where the package is a checkout


def packaged() -> Path:
    """The folder of the package's own configs: within the package where it is installed, else the checkout's conf/."""
    within = PACKAGE / "conf"
    return within if within.is_dir() else REPOSITORY / "conf"


def study() -> Path | None:
    """The folder conf/ in the working directory, whose options join those of the package; None where there is none."""
    folder = Path("conf").absolute()
    return folder if folder.is_dir() and not folder.samefile(packaged()) else None
