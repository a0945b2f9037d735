"""From a command line to a checked config, and from a config to objects. No check imports torch.

A config is checked by reading the source text of the classes that it names (`classes`, `checking`). `composing` makes
it of a command line, `explaining` says what its keys mean, and `build` turns its nodes into objects. `schema` has the
keys of a run, `tree` the types of a config's values, `heads` the node of a model with its head, and `folders` the
folders that configs come from.
"""

from ..processes import leads
from .build import build_model, instantiate
from .checking.check import check
from .composing.compose import compose, evaluation, register_resolvers
from .composing.hydra_errors import hints
from .composing.overrides import spelled
from .composing.run_folder import discard
from .composing.saved_configs import saved_config
from .errors import ConfigError
from .folders import clashes, folders_of

__all__ = [
    "ConfigError",
    "build_model",
    "check",
    "clashes",
    "compose",
    "discard",
    "evaluation",
    "folders_of",
    "hints",
    "instantiate",
    "leads",
    "register_resolvers",
    "saved_config",
    "spelled",
]
