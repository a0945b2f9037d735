"""From a checked config to an object. The only place that calls Hydra's `instantiate`."""

from typing import Any

from .checking.check import ConfigError, join, node_problems
from .classes.moved import with_current_targets


def instantiate(node: Any, key: str = "", /, **extra: Any) -> Any:
    """Build a node (a dict or DictConfig with `_target_`), or pass None through.

    `key` is where the node stands in the config, for the messages. `extra` are arguments from code,
    given to the outermost target as they are: Hydra would copy them into its containers. With
    `_partial_: true` the result waits for the rest. Raises ConfigError before any import if a
    target at any depth is not allowed or its arguments do not fit, and with the cause attached if a
    constructor refuses them.
    """
    if node is None:
        return None
    plain = with_current_targets(as_plain(node))
    if not isinstance(plain, dict) or "_target_" not in plain:
        raise ConfigError([f"{key or 'node'}: needs a `_target_` to be built, got {plain!r}"])
    problems = list(node_problems(plain, key, given=extra))
    if problems:
        raise ConfigError(problems)
    return built(plain, key or plain["_target_"], extra)


def as_plain(node: Any) -> Any:
    """Nested dicts and lists of plain values, with nothing left to interpolate."""
    from omegaconf import OmegaConf

    config = node if OmegaConf.is_config(node) else OmegaConf.create(node)
    return OmegaConf.to_container(config, resolve=True)


def built(plain: dict[str, Any], key: str, extra: dict[str, Any]) -> Any:
    from functools import partial

    from hydra.errors import InstantiationException
    from hydra.utils import instantiate as hydra_instantiate

    try:
        deferred = hydra_instantiate({**plain, "_partial_": True}, _convert_="all")
        make = partial(deferred.func, **{**deferred.keywords, **extra})
        return make if plain.get("_partial_", False) else make()
    except InstantiationException as error:  # of a nested node; its last line says which
        nested = str(error).rpartition("full_key: ")[2]
        cause = error.__cause__ or error
        raise ConfigError([f"{join(key, nested)}: {cause}"]) from cause
    except (TypeError, ValueError, OSError) as error:
        raise ConfigError([f"{key}: {error}"]) from error
