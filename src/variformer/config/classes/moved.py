"""Where classes lie whose modules have moved: configs of earlier runs, and of users, may name the old places."""

from collections.abc import MutableMapping, Sequence
from typing import Any

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


def current(target: str) -> str:
    """The name today of a class that a `_target_` names."""
    for old, new in MOVED.items():
        if is_under(target, old):
            return new + target.removeprefix(old)
    return target


def with_current_targets(node: Any) -> Any:
    """A config, or a part of one, changed in place, in which every `_target_` has its name of today."""
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
