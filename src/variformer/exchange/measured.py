"""The metrics of a run: at the end of its training, and of evaluations since then."""

import json
import logging
from typing import Any

from ..run_directory.checkpoint_files import digest_of
from ..run_directory.directory import RunDirectory

log = logging.getLogger(__name__)

Json = dict[str, Any]


def measured(run: RunDirectory, checkpoint: str) -> dict[str, dict[str, float]]:
    """The metrics of a checkpoint by split, from the end of training and from every evaluation since."""
    metrics: dict[str, dict[str, float]] = {}
    if checkpoint == "last" and run.metrics.is_file():
        for name, value in json.loads(run.metrics.read_text()).items():
            split, slash, metric = name.partition("/")
            if slash:
                metrics.setdefault(split, {})[metric] = value
    for split in ("val", "test"):
        if values := evaluation(run, split, checkpoint):
            metrics[split] = {name: value for name, value in values.items() if isinstance(value, int | float)}
    return metrics


def evaluation(run: RunDirectory, split: str, checkpoint: str) -> Json:
    """The metrics that an evaluation kept. Empty where they belong to other data, or to weights that were there
    before.
    """
    file = run.evaluation(split, checkpoint)
    values = json.loads(file.read_text(encoding="utf-8")) if file.is_file() else {}
    now = {
        "data": (run.facts().get("data") or {}).get("fingerprint"),
        "weights": digest_of(run.checkpoint(checkpoint)),
    }
    other = [name for name, mark in now.items() if mark and values.get(name, mark) != mark]
    if other:
        log.warning("%s is left out: it was measured with other %s than the run has now", file, " and ".join(other))
    return {} if other else values
