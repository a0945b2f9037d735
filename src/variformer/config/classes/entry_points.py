"""Installed packages that an entry point allows:

    [project.entry-points."variformer.targets"]
    my_study = "my_study"

The maker of a distribution writes its entry point. So it allows only the distribution's own modules, and only where the
user has asked for the distribution and it depends on Variformer. Otherwise a dependency of a dependency could allow
itself, or another package, to the configs of runs that somebody sent. Nothing is imported.
"""

import json
import re
import site
import sysconfig
from functools import cache
from importlib.metadata import Distribution, EntryPoint, entry_points
from pathlib import Path
from urllib.parse import unquote, urlparse

from .modules import source_file

GROUP = "variformer.targets"


@cache
def installed() -> tuple[str, ...]:
    """The packages and modules that entry points allow."""
    return tuple(point.module for point in entry_points(group=GROUP) if objection(point) is None)


@cache
def objections() -> dict[str, str]:
    """Top packages whose entry point is ignored, and why."""
    refused = {point.module.partition(".")[0]: objection(point) for point in entry_points(group=GROUP)}
    return {package: why for package, why in refused.items() if why}


def objection(point: EntryPoint) -> str | None:
    """Why an entry point is ignored; None where it is not."""
    distribution = point.dist
    if distribution is None or Path(str(distribution.locate_file(""))).resolve() not in site_folders():
        return "its distribution is not installed, but lies where Python looks for modules"
    name = distribution.name
    if not any(re.match(r"variformer\b(?!-)", each.lower()) for each in distribution.requires or ()):
        return f"{name} does not depend on variformer"
    if (distribution.read_text("INSTALLER") or "").strip() == "pip" and distribution.read_text("REQUESTED") is None:
        return f"{name} was installed because another package needs it"
    if not ships(distribution, point.module):
        return f"{point.module} is not a part of {name}"
    return None


def site_folders() -> set[Path]:
    """Where installers put packages."""
    user = [site.getusersitepackages()] if site.ENABLE_USER_SITE else []
    places = [sysconfig.get_path("purelib"), sysconfig.get_path("platlib"), *site.getsitepackages(), *user]
    return {Path(place).resolve() for place in places}


def ships(distribution: Distribution, module: str) -> bool:
    """Whether the file that Python would import belongs to the distribution."""
    file = source_file(module)
    if file is None:
        return False
    if (folder := editable_folder(distribution)) is not None:
        return file.resolve().is_relative_to(folder)
    if file.is_dir():
        return False  # a package without __init__.py may be of several distributions
    named = [each for each in distribution.files or () if each.name == file.name]
    return any(Path(str(each.locate())).resolve() == file.resolve() for each in named)


def editable_folder(distribution: Distribution) -> Path | None:
    """The folder of an editable install; None for any other."""
    record = json.loads(distribution.read_text("direct_url.json") or "{}")
    if not record.get("dir_info", {}).get("editable"):
        return None
    return Path(unquote(urlparse(record["url"]).path)).resolve()
