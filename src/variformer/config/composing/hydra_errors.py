"""What to print where Hydra refuses a command line: similar names of keys, groups and options, and missing extras."""

import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

from ..checking.defaults import experiment
from ..classes.signatures import REQUIRED
from ..errors import did_you_mean

if TYPE_CHECKING:
    from hydra.core.override_parser.types import Override

EXTRAS = {  # launch= : the plug-in of Hydra that it needs, and the extra that installs it
    "local_parallel": ("hydra_plugins.hydra_joblib_launcher", "parallel"),
    "slurm": ("hydra_plugins.hydra_submitit_launcher", "slurm"),
    "slurm_local": ("hydra_plugins.hydra_submitit_launcher", "slurm"),
}


@contextmanager
def hints(folders: Sequence[Path], name: str) -> Iterator[None]:
    """Print a line for each unknown key, group or option, and for a missing extra, when Hydra exits with an error.

    Surrounds a main function of Hydra. `folders` hold the configs; the first one holds the config `name`. Under a
    debugger Hydra raises its own error instead of exiting.
    """
    from hydra.errors import HydraException

    try:
        yield
    except (SystemExit, HydraException) as stop:
        if getattr(stop, "code", 1) == 1:
            for line in missing_extras(sys.argv[1:]) or unknown_keys(folders, name, sys.argv[1:]):
                print(line, file=sys.stderr)
        raise


def missing_extras(arguments: Sequence[str]) -> list[str]:
    """A line for each optional package that a command line needs and that is not installed."""
    chosen = {argument.removeprefix("launch=") for argument in arguments if argument.startswith("launch=")}
    return [
        f"launch={name}: needs an extra that is not installed; pip install 'variformer[{extra}]'"
        for name, (plugin, extra) in EXTRAS.items()
        if name in chosen and find_spec(plugin) is None
    ]


def unknown_keys(folders: Sequence[Path], name: str, arguments: Sequence[str]) -> list[str]:
    """A line for each `key=value` of a command line whose key, group or option does not exist."""
    from hydra import compose, initialize_config_dir
    from hydra.core.override_parser.overrides_parser import OverridesParser
    from hydra.core.override_parser.types import OverrideType
    from hydra.errors import HydraException
    from omegaconf import DictConfig

    words = [each for each in arguments if ("=" in each and not each.startswith("-")) or each.startswith("~")]
    lines: list[str] = []
    try:
        overrides = OverridesParser.create().parse_overrides(words)
        lines += deleted_groups(overrides)
        changes = [o for o in overrides if o.type == OverrideType.CHANGE and not o.key_or_group.startswith("hydra")]
        of_groups = [each for each in changes if is_group(each.key_or_group, folders)]
        wrong = {each.key_or_group: list(unknown_options(folders, each)) for each in of_groups}
        for override in changes:
            lines += wrong.get(override.key_or_group, unknown_groups(folders, override.key_or_group))
        chosen = [each.input_line or "" for each in of_groups if not wrong[each.key_or_group]]
        places = ",".join(f"'file://{folder.resolve()}'" for folder in folders[1:])
        with initialize_config_dir(str(folders[0].resolve()), version_base="1.3"):
            config = compose(name, overrides=[*chosen, f"hydra.searchpath=[{places}]"])
    except HydraException:
        return lines  # Hydra has printed what is wrong
    for override in (each for each in changes if each not in of_groups and "/" not in each.key_or_group):
        *path, last = override.key_or_group.split(".")
        section: object = config
        for part in path:
            section = section.get(part) if isinstance(section, DictConfig) else None
        known = [str(key) for key in section] if isinstance(section, DictConfig) else [last]
        if last not in known:
            lines.append(f"{override.key_or_group}: no such key{did_you_mean(last, known)}")
    return lines


def deleted_groups(overrides: Sequence["Override"]) -> list[str]:
    """A line for each group that a command line deletes (`~model`) and that a run needs."""
    needed = {name for name, parameter in experiment().parameters.items() if parameter.default is REQUIRED}
    deleted = [each.key_or_group for each in overrides if each.is_delete()]
    return [f"{key}: a run needs one; {key}=OPTION chooses another" for key in deleted if key in needed]


def unknown_groups(folders: Sequence[Path], name: str) -> list[str]:
    """A line where `name` looks like a group within a group, and there is none."""
    folder, _, group = name.rpartition("/")
    if not folder or not is_group(folder, folders):
        return []
    known = sorted({path.name for each in folders for path in (each / folder).glob("*") if path.is_dir()})
    return [f"{name}: no such group{did_you_mean(group, known)}"]


def unknown_options(folders: Sequence[Path], override: "Override") -> Iterator[str]:
    """A line for each option of `group=option` (or `group=[option,...]`, or a sweep) that the group does not have."""
    group = override.key_or_group
    value = list(override.sweep_string_iterator()) if override.is_sweep_override() else override.value()
    files = {path.relative_to(folder / group) for folder in folders for path in (folder / group).rglob("*.yaml")}
    known = [str(path.with_suffix("")) for path in sorted(files, key=lambda path: (len(path.parts), path))]
    for option in value if isinstance(value, list) else [value]:
        if option is not None and str(option) not in known:
            yield f"{group}: no such option `{option}`{did_you_mean(str(option), known)}"


def is_group(name: str, folders: Sequence[Path]) -> bool:
    return any((folder / name).is_dir() for folder in folders)
