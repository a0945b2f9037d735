"""From a composed config to objects: checked by reading source text, without importing torch, then built."""

from .build import instantiate
from .checking.check import ConfigError, check
from .composing.compose import compose, discard, load, register_resolvers
from .composing.evaluating import evaluation
from .composing.hints import hints
from .composing.spelling import spelled
from .folders import clashes, folders_of
from .launch import leads

__all__ = [
    "ConfigError",
    "check",
    "clashes",
    "compose",
    "discard",
    "evaluation",
    "folders_of",
    "hints",
    "instantiate",
    "leads",
    "load",
    "register_resolvers",
    "spelled",
]
