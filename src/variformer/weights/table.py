"""What a table of names is made of: rows that say which of our tensors are which of theirs, both ways."""

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

from ..layers import Activation

Config = Mapping[str, Any]  # the contents of their config.json


class Edit(NamedTuple):
    """How one of their tensors becomes one or more of ours, and back without a bit lost."""

    read: Callable[[Tensor], Sequence[Tensor]]
    write: Callable[[Sequence[Tensor]], Tensor]


SAME = Edit(lambda theirs: [theirs], lambda ours: ours[0])
TRANSPOSED = Edit(lambda theirs: [theirs.t()], lambda ours: ours[0].t())
UNSQUEEZED = Edit(lambda theirs: [theirs.squeeze(0)], lambda ours: ours[0].unsqueeze(0))
MERGED = Edit(lambda theirs: theirs.chunk(3), lambda ours: torch.cat(list(ours)))
MERGED_AND_TRANSPOSED = Edit(lambda theirs: theirs.t().chunk(3), lambda ours: torch.cat(list(ours)).t())


class Row(NamedTuple):
    """One tensor of theirs, and what it is of ours; {} stands for the number of a block."""

    ours: tuple[str, ...]
    theirs: str
    edit: Edit = SAME


def rows(names: Mapping[str, str], *kinds: str, edit: Edit = SAME) -> list[Row]:
    """A row for each kind of tensor ("weight", "bias") of each pair of modules."""
    return [Row((f"{ours}.{kind}",), f"{theirs}.{kind}", edit) for ours, theirs in names.items() for kind in kinds]


def expand(table: Sequence[Row], model: nn.Module) -> Iterator[Row]:
    """Rows without {}: one for each block of the transformer that a row speaks of."""
    for ours, theirs, edit in table:
        transformer, repeated, _ = ours[0].partition(".blocks.{}.")
        depth = len(model.get_submodule(f"{transformer}.blocks")) if repeated else 1  # type: ignore[arg-type]
        for block in range(depth):
            yield Row(tuple(name.format(block) for name in ours), theirs.format(block), edit)


@dataclass(frozen=True)
class Family:
    """Everything about one of their model types."""

    model: type[nn.Module]
    build: Callable[[Config, Collection[str]], nn.Module]  # from their config and the names of their tensors
    table: Callable[[Any], Sequence[Row]]  # for a model of ours
    prefix: str  # that a model saved without its heads leaves out
    copies: Mapping[str, str] = field(default_factory=dict)  # tied: some files hold it under both names
    unused: str = r"(?!)"  # names, as a regular expression, that hold no weights of the model; by default none


ACTIVATIONS: dict[str, Activation] = {
    "relu": "relu",
    "relu2": "relu_squared",
    "gelu": "gelu",
    "gelu_new": "gelu_tanh",
    "gelu_pytorch_tanh": "gelu_tanh",
    "silu": "silu",
    "swish": "silu",
}


def activation(name: str) -> Activation:
    if name not in ACTIVATIONS:
        raise ValueError(f"the activation {name!r} of config.json is unknown here; known: {', '.join(ACTIVATIONS)}")
    return ACTIVATIONS[name]


def require(config: Config, **expected: Any) -> None:
    """Raises ValueError where the checkpoint asks for a computation that our model does not do."""
    for name, value in expected.items():
        if config.get(name, value) != value:
            raise ValueError(f"{name}={config[name]!r} in config.json is not supported, only {value!r}")
