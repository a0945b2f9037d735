"""What to say where Hydra itself stops: an override of a key that is not there."""

import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from ..checking.check import experiment
from ..classes.nearest import hint
from ..classes.signatures import REQUIRED
from .extras import missing_extras


@contextmanager
def hints(folders: Sequence[Path], name: str) -> Iterator[None]:
    """Around a Hydra main: when it exits with an error, name the nearest of each key, group or option that is missing,
    and the extra that a launcher needs. Under a debugger Hydra lets its own error through.

    `folders` hold the configs, the first of them the config `name`.
    """
    from hydra.errors import HydraException

    try:
        yield
    except (SystemExit, HydraException) as stop:
        if getattr(stop, "code", 1) == 1:
            for line in missing_extras(sys.argv[1:]) or unknown_keys(folders, name, sys.argv[1:]):
                print(line, file=sys.stderr)
        raise


def unknown_options(folders: Sequence[Path], override: Any) -> Iterator[str]:
    """A line for each option of `group=option` (or `group=[option,...]`, or a sweep) that the group does not have."""
    group = override.key_or_group
    given = list(override.sweep_string_iterator()) if override.is_sweep_override() else override.value()
    files = {path.relative_to(folder / group) for folder in folders for path in (folder / group).rglob("*.yaml")}
    known = [str(path.with_suffix("")) for path in sorted(files, key=lambda path: (len(path.parts), path))]
    for option in given if isinstance(given, list) else [given]:
        if option is not None and str(option) not in known:
            yield f"{group}: no such option `{option}`{hint(str(option), known)}"


def unknown_keys(folders: Sequence[Path], name: str, arguments: Sequence[str]) -> list[str]:
    """A line for each `key=value` of a command line whose key, or config group, is not there."""
    from hydra import compose, initialize_config_dir
    from hydra.core.override_parser.overrides_parser import OverridesParser
    from hydra.core.override_parser.types import OverrideType
    from hydra.errors import HydraException

    given = [each for each in arguments if ("=" in each and not each.startswith("-")) or each.startswith("~")]
    groups, lines = [], []
    try:
        overrides = OverridesParser.create().parse_overrides(given)
        changes = [o for o in overrides if o.type == OverrideType.CHANGE and not o.key_or_group.startswith("hydra")]
        needed = {name for name, parameter in experiment().parameters.items() if parameter.default is REQUIRED}
        for key in (each.key_or_group for each in overrides if each.is_delete()):
            lines += [f"{key}: a run needs one; {key}=OPTION chooses another"] if key in needed else []
        for override in changes:
            folder, _, group = override.key_or_group.rpartition("/")
            if is_group(override.key_or_group, folders):
                wrong = list(unknown_options(folders, override))
                lines += wrong
                groups += [] if wrong else [override.input_line or ""]
            elif folder and is_group(folder, folders):
                known = sorted({path.name for each in folders for path in (each / folder).glob("*") if path.is_dir()})
                lines.append(f"{override.key_or_group}: no such group{hint(group, known)}")
        places = ",".join(f"'file://{folder.resolve()}'" for folder in folders[1:])
        with initialize_config_dir(str(folders[0].resolve()), version_base="1.3"):
            config = compose(name, overrides=[*groups, f"hydra.searchpath=[{places}]"])
    except HydraException:
        return lines  # Hydra has said what it is
    for override in (each for each in changes if not is_group(each.key_or_group, folders)):
        *path, last = override.key_or_group.split(".")
        section: Any = config
        for part in path:
            section = section.get(part) if hasattr(section, "get") else None
        if hasattr(section, "keys") and "/" not in last:
            known = [str(key) for key in section]
            if last not in known:
                lines.append(f"{override.key_or_group}: no such key{hint(last, known)}")
    return lines


def is_group(name: str, folders: Sequence[Path]) -> bool:
    return any((folder / name).is_dir() for folder in folders)
