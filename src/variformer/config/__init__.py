"""From a composed config to objects: checked by reading source text, without importing torch, then built."""

from .build import instantiate
from .check import ConfigError, check
from .compose import compose, discard, load, register_resolvers
from .evaluating import evaluation
from .folders import clashes, folders_of
from .hints import hints
from .launch import leads
from .spelling import spelled

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
