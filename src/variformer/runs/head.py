"""The head of a run's model: whether it can read the body, and the facts that it follows from the data."""

import logging
from typing import Any

import torch

from ..config import ConfigError, build_model
from ..config.checking.defaults import signature_of
from ..config.classes.attributes import declared
from ..config.schema import Experiment
from ..exchange.loading import labels_of
from ..exchange.sources import source_config
from ..hub import locate
from .task import Task

log = logging.getLogger(__name__)

Config = dict[str, Any]
UNKNOWN = {"classes": 2, "start": 0, "end": 0}  # stand in for facts until the data are known


def require_readable_body(config: Experiment) -> None:
    """Raises ConfigError where the head cannot read the body: now, because preparing the data may take hours."""
    if config.head is not None:
        with torch.device("meta"):
            build_model(vars(config), **missing(config.head, UNKNOWN))


def with_facts(config: Experiment, task: Task) -> Config | None:
    """The node of the head with what it needs to know of the data: `classes`, and the ids `start` and `end`.

    So whoever loads the run builds its head without the data. Raises ConfigError where the node says other classes.
    """
    head = config.head
    if head is None:
        return None
    tokens = {"start": declared(config.model, "start_token"), "end": "end"}
    facts = {name: role and getattr(task.tokenizer, role, None) for name, role in tokens.items()}
    facts["classes"] = task.objective.classes
    known = {name: value for name, value in facts.items() if value is not None}
    if known.get("classes") and head.get("classes") not in (None, known["classes"]):
        there = "the objective tells {} classes apart; leave head.classes out".format(known["classes"])
        raise ConfigError([f"head.classes: {head['classes']} was given, but {there}"])
    return head | missing(head, known)


def labels_of_source(config: Experiment, task: Task) -> list[str] | None:
    """The classes that the head of `init_from` tells apart, where all that were found in the data are among them.

    The head is then taken over as it is, and classes that the data lack stay known.
    """
    found = task.found_settings.get("labels")
    if not (found and config.init_from and config.head):
        return None
    folder = locate(config.init_from)
    theirs = labels_of(folder) or []
    kinds = [declared(node, "kind") for node in (source_config(str(folder)).get("head"), config.head)]
    if kinds[0] != kinds[1] or theirs == found or not set(found) <= set(theirs):
        return None
    log.info("data.labels: those of init_from, %s, since the training rows have no others", ", ".join(theirs[:20]))
    return theirs


def missing(head: Config, facts: Config) -> Config:
    """Those of the facts that the class of the head takes and its node leaves out."""
    taken = signature_of(head).parameters
    return {name: value for name, value in facts.items() if name in taken and name not in head}
