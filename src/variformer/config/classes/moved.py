"""Old names of classes whose modules have moved. Configs of earlier runs, and of users, may still have them."""

from collections.abc import MutableMapping, Sequence
from typing import TypeVar

from .modules import is_under

MOVED = {  # old name: new name
    "variformer.data.augmentation": "variformer.data.images.augmentation",
    "variformer.data.glyphs": "variformer.data.images.glyphs",
    "variformer.data.hub_images": "variformer.data.images.hub",
    "variformer.data.hub_text": "variformer.data.text.hub",
    "variformer.data.image_files": "variformer.data.images.files",
    "variformer.data.image_sources": "variformer.data.images.sources",
    "variformer.data.python_docs": "variformer.data.text.python_docs",
    "variformer.data.text.TextData": "variformer.data.text.data.TextData",
    "variformer.data.sources.TextFiles": "variformer.data.text.files.TextFiles",
    "variformer.data.tokenizer_recipes": "variformer.data.text.tokenizer_recipes",
    "variformer.models.UntaughtDeiT": "variformer.models.SingleHeadDeiT",
    "variformer.models.deit.UntaughtDeiT": "variformer.models.SingleHeadDeiT",
    "variformer.training.callbacks.average": "variformer.training.callbacks",
    "variformer.training.callbacks.checkpoints": "variformer.training.callbacks",
    "variformer.training.callbacks.curves": "variformer.training.callbacks",
    "variformer.training.callbacks.early_stopping": "variformer.training.callbacks",
    "variformer.training.callbacks.profile": "variformer.training.callbacks",
    "variformer.training.callbacks.progress": "variformer.training.callbacks",
    "variformer.training.callbacks.samples": "variformer.training.callbacks",
    "variformer.training.callbacks.throughput": "variformer.training.callbacks",
}

Part = TypeVar("Part")


def current(target: str) -> str:
    """The name today of a class that a `_target_` names."""
    for old, new in MOVED.items():
        if is_under(target, old):
            return new + target.removeprefix(old)
    return target


def with_current_targets(node: Part) -> Part:
    """Give every `_target_` in a config, or in a part of one, its name of today. The config is changed in place."""
    if isinstance(node, MutableMapping):
        for key, value in node.items():
            if key == "_target_" and isinstance(value, str):
                node[key] = current(value)
            else:
                with_current_targets(value)
    elif isinstance(node, Sequence) and not isinstance(node, str):
        for each in node:
            with_current_targets(each)
    return node
