"""The folders that configs come from: those of the package, of a study, and those that a command line adds."""

from collections.abc import Iterator, Sequence
from itertools import pairwise
from pathlib import Path

from ..configs import packaged, study

ADDS = ("--config-dir", "-cd")  # Hydra's flags, of which the last one counts
NO_OPTIONS = "sweep/wandb"  # files for `wandb sweep`, which Hydra never reads


def folders_of(arguments: Sequence[str]) -> list[Path]:
    """The package's folder first, then the study's, then those of --config-dir and hydra.searchpath.

    An option is taken from the first folder that has it.
    """
    own = study()
    return unique([packaged(), *([own] if own else []), *added(arguments)[-1:], *searched(arguments)])


def added(arguments: Sequence[str]) -> list[Path]:
    """The folders of `--config-dir FOLDER` and `--config-dir=FOLDER`."""
    words = [word for each in arguments for word in (each.split("=", 1) if each.startswith("-") else [each])]
    return [Path(folder) for flag, folder in pairwise(words) if flag in ADDS]


def searched(arguments: Sequence[str]) -> list[Path]:
    """The folders of `hydra.searchpath=[file://FOLDER,...]`. Hydra reports a list that cannot be read."""
    from hydra.core.override_parser.overrides_parser import OverridesParser
    from hydra.errors import HydraException

    words = [each for each in arguments if each.lstrip("+").startswith("hydra.searchpath=")]
    try:
        values = [each.value() for each in OverridesParser.create().parse_overrides(words)]
    except HydraException:
        return []
    places = [str(place) for value in values if isinstance(value, list) for place in value]
    return [Path(place.removeprefix("file://")) for place in places if "://" not in place.removeprefix("file://")]


def unique(folders: Sequence[Path]) -> list[Path]:
    """The folders that exist, each once, where it comes first."""
    return list({folder.resolve(): folder for folder in reversed(folders) if folder.is_dir()}.values())[::-1]


def clashes(folders: Sequence[Path]) -> Iterator[str]:
    """A line for each file that Hydra would never read, because an earlier folder has another file of that name."""
    for index, folder in enumerate(folders):
        for file in sorted(folder.rglob("*.yaml")) if index else ():
            name = file.relative_to(folder)
            first = next((each / name for each in folders[:index] if (each / name).is_file()), None)
            if first and not name.is_relative_to(NO_OPTIONS) and first.read_bytes() != file.read_bytes():
                yield f"{file}: {first} has the same name, and Hydra reads that one; rename the file"


def config_folders() -> list[Path]:
    """The folders in which Hydra looks for options; none where Hydra composes nothing now."""
    from hydra.core.global_hydra import GlobalHydra
    from hydra.core.hydra_config import HydraConfig

    if HydraConfig.initialized():
        paths = [source.path for source in HydraConfig.get().runtime.config_sources if source.schema == "file"]
    elif GlobalHydra.instance().is_initialized():
        sources = GlobalHydra.instance().config_loader().get_sources()
        paths = [source.path for source in sources if source.scheme() == "file"]
    else:
        paths = []
    return unique([Path(path) for path in paths])
