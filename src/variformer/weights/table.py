"""What a table of names is made of: rows that say which of our tensors are which of theirs, both ways."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

from ..layers import ACTIVATIONS as OUR_ACTIVATIONS
from ..layers import Activation
from .settings import Settings

Config = Mapping[str, Any]  # the contents of a config.json that we write
Tensors = Mapping[str, Tensor]
NOTHING = r"(?!)"  # matches no name


class Difference(NamedTuple):
    """A part of a model of ours for which a class of theirs has no place."""

    part: str  # "positions"
    ours: str  # "RotaryPositions"
    theirs: str  # "LearnedPositions"


class Edit(NamedTuple):
    """How one or more of their tensors become one or more of ours, and back without a bit lost."""

    read: Callable[[Sequence[Tensor]], Sequence[Tensor]]
    write: Callable[[Sequence[Tensor]], Sequence[Tensor]]


SAME = Edit(lambda theirs: theirs, lambda ours: ours)
TRANSPOSED = Edit(lambda theirs: [theirs[0].t()], lambda ours: [ours[0].t()])
UNSQUEEZED = Edit(lambda theirs: [theirs[0].squeeze(0)], lambda ours: [ours[0].unsqueeze(0)])
MERGED = Edit(lambda theirs: theirs[0].chunk(3), lambda ours: [torch.cat(list(ours))])
MERGED_PAIR = Edit(lambda theirs: theirs[0].chunk(2), lambda ours: [torch.cat(list(ours))])
MERGED_AND_TRANSPOSED = Edit(lambda theirs: theirs[0].t().chunk(3), lambda ours: [torch.cat(list(ours)).t()])
STACKED = Edit(  # (1, 1, D) each, the rows of ours
    lambda theirs: [torch.cat([row.squeeze(0) for row in theirs])],
    lambda ours: [row.clone().unsqueeze(0) for row in ours[0].split(1)],
)


def turned_pairs(heads: int) -> Edit:
    """Rows of queries or keys: theirs turns the neighbours (2i, 2i + 1) of each head, ours (i, i + half its width)."""
    return Edit(
        lambda theirs: [each.unflatten(0, (heads, -1, 2)).transpose(1, 2).flatten(0, 2) for each in theirs],
        lambda ours: [each.unflatten(0, (heads, 2, -1)).transpose(1, 2).flatten(0, 2) for each in ours],
    )


def computed(name: str, tensor: Tensor) -> Edit:
    """A tensor that theirs stores and ours computes. Reading other values raises ValueError."""

    def read(theirs: Sequence[Tensor]) -> Sequence[Tensor]:
        (stored,) = theirs
        if not torch.allclose(stored.float(), tensor, atol=max(1e-3, torch.finfo(stored.dtype).eps)):
            raise ValueError(f"{name} holds other values than its formula gives, which ours computes")
        return []

    return Edit(read, lambda ours: [tensor])


def merged_by_head(heads: int) -> Edit:
    """(H * 3 * W, ...) of theirs: queries, keys and values of one head after those of another."""

    def read(theirs: Sequence[Tensor]) -> Sequence[Tensor]:
        return [part.flatten(0, 1) for part in theirs[0].unflatten(0, (heads, 3, -1)).unbind(1)]

    def write(ours: Sequence[Tensor]) -> Sequence[Tensor]:
        return [torch.stack([part.unflatten(0, (heads, -1)) for part in ours], 1).flatten(0, 2)]

    return Edit(read, write)


class Row(NamedTuple):
    """Tensors of theirs, and what they are of ours: none where ours computes them. {} is the number of a block."""

    ours: tuple[str, ...]
    theirs: tuple[str, ...]
    edit: Edit = SAME

    def is_below(self, part: str) -> bool:
        """Whether it speaks of a part of our model alone."""
        return bool(self.ours) and all(name.startswith(f"{part}.") for name in self.ours)

    def names_any(self, tensors: Tensors) -> bool:
        return any(name in tensors for name in self.theirs)

    def renamed(self, ours: Callable[[str], str], theirs: Callable[[str], str]) -> "Row":
        return Row(tuple(map(ours, self.ours)), tuple(map(theirs, self.theirs)), self.edit)


def rows(names: Mapping[str, str], *kinds: str, edit: Edit = SAME) -> list[Row]:
    """A row for each kind of tensor ("weight", "bias") of each pair of modules."""
    return [Row((f"{ours}.{kind}",), (f"{theirs}.{kind}",), edit) for ours, theirs in names.items() for kind in kinds]


def expand(table: Sequence[Row], model: nn.Module) -> Iterator[Row]:
    """Rows without {}: one for each block of the transformer that a row speaks of."""
    for ours, theirs, edit in table:
        transformer, repeated, _ = next(iter(ours), "").partition(".blocks.{}.")
        for block in range(count_blocks(model, transformer) if repeated else 1):
            yield Row(tuple(name.format(block) for name in ours), tuple(name.format(block) for name in theirs), edit)


def count_blocks(model: nn.Module, transformer: str) -> int:
    blocks = model.get_submodule(f"{transformer}.blocks")
    assert isinstance(blocks, nn.ModuleList), "a transformer has a list of blocks"
    return len(blocks)


@dataclass(frozen=True)
class Task:
    """One of their classes that puts another head on a body, and the class of ours that does the same."""

    theirs: str  # as in `architectures`
    model: type[nn.Module]
    names: Mapping[str, str]  # the head's modules, ours and theirs; the last one's rows are the classes
    build: Callable[[Any, Settings, int], nn.Module]  # from the body, their config and the number of classes
    config: Callable[[Any], Config] = lambda model: {}  # what theirs says of the head, `id2label` excepted
    labelled: bool = True  # whether it has classes that have names
    kinds: tuple[str, ...] = ("weight", "bias")
    prefix: str | None = None  # before their names of the body, where it is not the family's
    differences: Callable[[Any], Iterable[Difference]] = lambda model: ()  # from theirs, for a model of ours

    @property
    def rows(self) -> list[Row]:
        return rows(self.names, *self.kinds)

    @property
    def scores(self) -> str:
        return f"{list(self.names.values())[-1]}.weight"

    @property
    def our_scores(self) -> str | None:
        return f"{list(self.names)[-1]}.weight" if self.labelled else None


@dataclass(frozen=True)
class Family:
    """Everything about one of their model types. The names are those of a model with the family's own heads."""

    model_type: str  # in their config.json
    year: int  # of the paper; the table of the oldest class that has a model's parts is taken
    models: tuple[type[nn.Module], ...]
    build: Callable[[Settings, Tensors], nn.Module]  # from their config and tensors
    table: Callable[[Any], Sequence[Row]]  # for a model of ours, with its heads or as a body without
    differences: Callable[[Any], Iterable[Difference]]  # of such a model's parts from theirs
    config: Callable[[Any], Config]  # theirs, for such a model without differences
    architecture: Callable[[Any], str]  # their class, for a model with its own heads
    prefix: str  # that a model saved without its heads leaves out
    tasks: Sequence[Task] = ()
    tokens: Config = field(default_factory=dict)  # the ids of a config that does not say
    our_scores: str | None = None  # our weights of the own head's classes, where these have names
    copies: Mapping[str, str] = field(default_factory=dict)  # tied: some files hold it under both names
    fills_copies: bool = False  # where our model holds both and files one: the copy starts as the other
    unused: str = NOTHING  # names, as a regular expression, that files may hold though our model does not
    zeros: str = NOTHING  # names that files may lack where all is zero
    heads: tuple[str, ...] = ()  # parts of ours that files may lack as a whole, because they are of a model without
    left_out: tuple[str, ...] = ()  # parts of ours that served in training alone, for which their class has no place


ACTIVATIONS: dict[str, Activation] = {
    "relu": "relu",
    "relu2": "relu_squared",
    "gelu": "gelu",
    "gelu_python": "gelu",
    "gelu_new": "gelu_tanh",
    "gelu_pytorch_tanh": "gelu_tanh",
    "gelu_fast": "gelu_tanh",
    "silu": "silu",
    "swish": "silu",
}


def activation_name(module: nn.Module) -> str:
    """Theirs for a module of ours."""
    for theirs, ours in ACTIVATIONS.items():
        if repr(OUR_ACTIVATIONS[ours]()) == repr(module):
            return theirs
    raise ValueError(f"the activation {module} has no name at Hugging Face")


def count_classes(tensors: Tensors, scores: str, config: Settings) -> int:
    """Rows of the scores' matrix, or what the config says where it is missing."""
    return len(tensors[scores]) if scores in tensors else config.classes()
