"""Optuna's samplers and pruners from nodes of a config; the process of a sweep and those of its trials need them."""

from typing import Any, Literal

from numpy.random import SeedSequence


class Pruned(SystemExit):
    """A trial ends early, as it should: exit code 0."""


def built(node: dict[str, Any], kind: Literal["sampler", "pruner"], number: int = 0) -> Any:
    """The object that a node with `_target_` describes. Raises ValueError that names the key to mend.

    From a `seed` each trial `number` has one of its own: what is proposed to it does not depend on whether the search
    was interrupted before.
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
    arguments = {key: value for key, value in node.items() if key != "_target_"}
    try:
        if arguments.get("seed") is not None:
            arguments["seed"] = int(SeedSequence([arguments["seed"], number]).generate_state(1)[0])
        return getattr(package, name)(**arguments)
    except (TypeError, ValueError) as error:
        raise ValueError(f"hydra.sweeper.{kind}: {error}") from error
