"""From a composed config to objects: checked by reading source text, without importing torch, then built."""

from .build import instantiate
from .check import ConfigError, check
from .compose import compose, register_resolvers

__all__ = ["ConfigError", "check", "compose", "instantiate", "register_resolvers"]
