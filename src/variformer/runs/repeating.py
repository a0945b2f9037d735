"""The differences between a run and the earlier run that it repeats."""

import logging
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from ..config import ConfigError
from ..config.classes.moved import with_current_targets
from ..config.composing.earlier_runs import changed_values
from ..config.composing.saved_configs import record_of
from ..config.heads import parted
from ..config.tree import leaves
from ..run_directory.directory import environment
from .data_identity import changed_parts, short

log = logging.getLogger(__name__)

Config = dict[str, Any]
SOURCES = {
    "data": "fingerprint",
    "teacher": "sha256",
    "init_from": "sha256",
}  # what a run reads, and the mark by which it is recognised
CAUSES = {  # the sections of a config that each source depends on
    "data": ("data", "tokenizer", "objective", "length"),
    "teacher": ("objective",),
    "init_from": ("init_from",),
}


def repetition(config: Config, facts: dict[str, Any]) -> dict[str, Any]:
    """For run.json: which run is repeated, and all that differs. A warning names each difference.

    `facts` are those of the new run. Raises ConfigError where its data or models are not those of the earlier run.
    A value given beside `repeat` that explains this, or `repeat_anyway`, allows it.
    """
    path, then = record_of(Path(config["repeat"]))
    values = list(changed_values(parted(with_current_targets(then["config"])), config))
    parts = {line.partition(":")[0].partition(".")[0] for line in values}
    sources = dict(changed_sources(then, facts))
    unexplained = [line for name, line in sources.items() if not parts.intersection(CAUSES[name])]
    here = environment()
    surroundings = [line for each in then["sessions"] for line in changed_surroundings(each, here, path.parent)]
    resumed = [f"resumed with {line}" for each in then["sessions"] for line in each.get("changed", ())]
    differences = list(dict.fromkeys([*values, *sources.values(), *resumed, *surroundings]))
    if unexplained and not config["repeat_anyway"]:
        cure = "bring back what it was, or set repeat_anyway=true"
        raise ConfigError([*(f"repeat={config['repeat']}: {line}" for line in unexplained), cure])
    for line in differences:
        log.warning("differs from %s: %s", config["repeat"], line)
    return {"run": str(path.resolve()), "differences": differences}


def changed_sources(then: dict[str, Any], now: dict[str, Any]) -> Iterator[tuple[str, str]]:
    """For each source that differs, such as the data: its name, and a line about the difference."""
    for name, mark in SOURCES.items():
        before, after = (record.get(name) or {} for record in (then, now))
        if before.get(mark) != after.get(mark):
            what = "; ".join(changed_parts(before, after))
            marks = f"{mark} {short(before.get(mark))} then, {short(after.get(mark))} now"
            yield name, f"{name}: {marks}{what and f' ({what})'}"


def changed_surroundings(then: dict[str, Any], now: dict[str, Any], run: Path) -> Iterator[str]:
    """Differences in versions, code and hardware. Each of them may change the last digits of a number, or more."""
    before, after = ({key: value for key, _, value in leaves(each)} for each in (then, now))
    for key in ("python", *(key for key in before | after if key.startswith(("packages.", "hardware.")))):
        if before.get(key) != after.get(key):
            yield f"{key.rpartition('.')[2]}: {before.get(key)} then, {after.get(key)} now"
    commits = [each.get("code.commit") for each in (before, after)]
    if commits[0] != commits[1]:
        yield f"commit: {short(commits[0])} then, {short(commits[1])} now"
    digests = [each.get("code.diff_sha256") for each in (before, after)]
    if digests[0] != digests[1]:
        then_kept = f" (kept in {run})" if digests[0] else ""
        yield f"uncommitted changes: {short(digests[0])} then{then_kept}, {short(digests[1])} now"
    if before.get("code.untracked"):
        yield f"files that were in no commit then, and of which no copy was kept: {', '.join(before['code.untracked'])}"
