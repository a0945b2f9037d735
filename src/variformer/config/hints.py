"""What to say where Hydra itself stops: an override of a key that is not there."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from .check import experiment
from .extras import missing_extras
from .nearest import hint
from .signatures import REQUIRED


@contextmanager
def hints(conf: Path, name: str) -> Iterator[None]:
    """Around a Hydra main: when it exits with an error, name the nearest of each key, group or option that is missing,
    and the extra that a launcher needs. Under a debugger Hydra lets its own error through.
    """
    from hydra.errors import HydraException

    try:
        yield
    except (SystemExit, HydraException) as stop:
        if getattr(stop, "code", 1) == 1:
            for line in missing_extras(sys.argv[1:]) or unknown_keys(conf, name, sys.argv[1:]):
                print(line, file=sys.stderr)
        raise


def unknown_options(conf: Path, override: Any) -> Iterator[str]:
    """A line for each option of `group=option` (or `group=[option,...]`, or a sweep) that the group does not have."""
    folder = conf / override.key_or_group
    given = list(override.sweep_string_iterator()) if override.is_sweep_override() else override.value()
    files = sorted(folder.rglob("*.yaml"), key=lambda path: (len(path.parts), path))
    known = [str(path.relative_to(folder).with_suffix("")) for path in files]
    for option in given if isinstance(given, list) else [given]:
        if option is not None and str(option) not in known:
            yield f"{override.key_or_group}: no such option `{option}`{hint(str(option), known)}"


def unknown_keys(conf: Path, name: str, arguments: list[str]) -> list[str]:
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
            if (conf / override.key_or_group).is_dir():
                wrong = list(unknown_options(conf, override))
                lines += wrong
                groups += [] if wrong else [override.input_line or ""]
            elif folder and (conf / folder).is_dir():
                known = [path.name for path in (conf / folder).iterdir() if path.is_dir()]
                lines.append(f"{override.key_or_group}: no such group{hint(group, known)}")
        with initialize_config_dir(str(conf.resolve()), version_base="1.3"):
            config = compose(name, overrides=groups)
    except HydraException:
        return lines  # Hydra has said what it is
    for override in (each for each in changes if not (conf / each.key_or_group).is_dir()):
        *path, last = override.key_or_group.split(".")
        section: Any = config
        for part in path:
            section = section.get(part) if hasattr(section, "get") else None
        if hasattr(section, "keys") and "/" not in last:
            known = [str(key) for key in section]
            if last not in known:
                lines.append(f"{override.key_or_group}: no such key{hint(last, known)}")
    return lines
