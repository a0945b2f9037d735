"""Whether the data that the config of a run names today are those that the run was made with."""

from collections.abc import Iterator
from typing import Any

from ..config import ConfigError
from ..config.classes.moved import with_current_targets
from ..config.composing.earlier_runs import changed_values
from ..config.tree import leaves
from ..data import DataSet
from ..run_directory.directory import RunDirectory

Json = dict[str, Any]


def data_facts(data: DataSet[Any]) -> Json:
    """What run.json says of the data: the fingerprint, the parts that it is computed from, and counts."""
    return {"fingerprint": data.fingerprint, "parts": data.parts, **data.report}


def difference(run: RunDirectory, data: DataSet[Any], config: Json) -> str | None:
    """What has changed between `data` and the data in the record of the run, in one line; None where they are the same.

    Nothing is compared where the record has no data, as before the first evaluation of an imported model.
    """
    record = run.facts()
    then = record.get("data") or {}
    if then.get("fingerprint") in (None, data.fingerprint):
        return None
    now = data_facts(data)
    values = [
        line
        for line in changed_values(with_current_targets(record.get("config", config)), config)
        if line.startswith("data.")
    ]
    marks = f"fingerprint {short(then['fingerprint'])} then, {short(now['fingerprint'])} now"
    what = "; ".join([*values, *changed_parts(then, now), marks])
    return f"{run.path}: the data are not those of this run ({what})"


def require_same_data(run: RunDirectory, data: DataSet[Any], config: Json) -> None:
    """Raises ConfigError where a run would go on with other data than it began with."""
    if what := difference(run, data, config):
        raise ConfigError([f"{what}. Bring them back, or start a new run"])


def changed_parts(then: Json, now: Json) -> Iterator[str]:
    """What differs between two records of data, one line for each kind of change. An older record has only counts."""
    before, after = then.get("parts"), now.get("parts")
    if before is None or after is None:
        yield from changed_counts(then, now)
    else:
        kinds = {
            "changed": [name for name in before if name in after and before[name] != after[name]],
            "gone": [name for name in before if name not in after],
            "new": [name for name in after if name not in before],
        }
        yield from (f"{kind}: {some(names)}" for kind, names in kinds.items() if names)


def changed_counts(then: Json, now: Json) -> Iterator[str]:
    before, after = ({key: value for key, _, value in leaves(record)} for record in (then, now))
    for key in before:
        if isinstance(before[key], int) and key in after and before[key] != after[key]:
            split, _, unit = key.rpartition(".")
            yield f"{split}: {before[key]:,} {unit} then, {after[key]:,} now"


def some(names: list[str], most: int = 3) -> str:
    return ", ".join(names[:most]) + (f" and {len(names) - most} more" if len(names) > most else "")


def short(digest: str | None) -> str:
    return "none" if digest is None else digest[:10]
