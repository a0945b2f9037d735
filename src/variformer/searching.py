"""Optuna's samplers and pruners from a config. Both the process of a sweep and those of its trials need them."""

from collections.abc import Mapping
from typing import Any, Literal

from numpy.random import SeedSequence


class Pruned(SystemExit):
    """A trial ends early because its pruner has decided so: exit code 0."""


def optuna_object(node: Mapping[str, object], kind: Literal["sampler", "pruner"], number: int = 0) -> Any:
    """The sampler or pruner that a node with `_target_` describes. Raises ValueError that names the key to change.

    A `seed` gives each trial `number` its own seed. So what is proposed to a trial does not depend on interruptions.
    """
    import optuna

    package = getattr(optuna, f"{kind}s")
    module, _, name = str(node.get("_target_")).rpartition(".")
    if module != package.__name__ or name not in package.__all__:
        there = ", ".join(
            each for each in package.__all__ if each.endswith(kind.title()) and each != f"Base{kind.title()}"
        )
        raise ValueError(
            f"hydra.sweeper.{kind}._target_: {node.get('_target_')} is not one of {package.__name__}: {there}"
        )
    arguments: dict[str, Any] = {key: value for key, value in node.items() if key != "_target_"}
    try:
        if arguments.get("seed") is not None:
            arguments["seed"] = int(SeedSequence([arguments["seed"], number]).generate_state(1)[0])
        return getattr(package, name)(**arguments)
    except (TypeError, ValueError) as error:
        raise ValueError(f"hydra.sweeper.{kind}: {error}") from error
