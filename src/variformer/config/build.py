"""From a checked config to an object. No other module calls Hydra's `instantiate`."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Union

from .checking.check import node_problems
from .classes.moved import with_current_targets
from .errors import ConfigError
from .tree import Node, join

if TYPE_CHECKING:
    from omegaconf import DictConfig


def instantiate(node: Union[Node, "DictConfig", None], key: str = "", /, **extra: object) -> Any:
    """Build a node, which is a dict or DictConfig with `_target_`. None stays None.

    `key` is the node's full key, for the messages. `extra` are arguments from code for the outermost target; they are
    given as they are, since Hydra would copy them into its containers. With `_partial_: true` the result waits for the
    other arguments. Raises ConfigError before any import if a target at any depth is not allowed or its arguments do
    not fit. Raises ConfigError, with the cause attached, if a constructor refuses its arguments.
    """
    if node is None:
        return None
    plain = with_current_targets(as_plain(node))
    if not isinstance(plain, dict) or "_target_" not in plain:
        raise ConfigError([f"{key or 'node'}: needs a `_target_` to be built, got {plain!r}"])
    problems = list(node_problems(plain, key, given=extra))
    if problems:
        raise ConfigError(problems)
    return built(plain, key or str(plain["_target_"]), extra)


def build_model(config: Mapping[str, Any], prefix: str = "", **given: object) -> Any:
    """The model of a config: the body that `model` says, under the `head` where there is one.

    `given` are arguments of the head that the config leaves out, such as the number of classes; `prefix` stands before
    the keys in messages. Raises ConfigError, also where the head cannot read the body.
    """
    body, head = instantiate(config["model"], f"{prefix}model"), config.get("head")
    if head is None:
        return body
    whole = {name: value for name, value in as_plain(head).items() if name != "_partial_"}
    return instantiate(whole, f"{prefix}head", body=body, **given)


def as_plain(node: Union[Node, "DictConfig"]) -> Any:
    """Nested dicts and lists of plain values, in which all interpolations are resolved."""
    from omegaconf import OmegaConf

    config = node if OmegaConf.is_config(node) else OmegaConf.create(node)
    plain: Any = OmegaConf.to_container(config, resolve=True)
    return plain


def built(plain: Node, key: str, extra: dict[str, object]) -> Any:
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
