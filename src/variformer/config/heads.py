"""A head for a task and the body under it: two nodes in a config, one node in a folder with own code."""

from collections.abc import MutableMapping
from typing import Any, TypeVar

from .tree import Node

Saved = TypeVar("Saved", bound=MutableMapping[Any, Any])


def joined(model: Node, head: Node | None) -> Node:
    """One node: that of the head with its `body`, or the model's where there is no head."""
    if head is None:
        return model
    return {name: value for name, value in head.items() if name != "_partial_"} | {"body": model}


def parted(config: Saved) -> Saved:
    """A config, or the part of one, with the head of its model in a key of its own. It is changed in place.

    Imports of earlier versions had both in one node.
    """
    model = config.get("model")
    body = model.get("body") if isinstance(model, MutableMapping) else None
    if model and isinstance(body, MutableMapping) and "_target_" in body and config.get("head") is None:
        config["head"] = {name: value for name, value in model.items() if name != "body"} | {"_partial_": True}
        config["model"] = body
    return config
