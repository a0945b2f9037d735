"""Which tensors of theirs are which of a model's, and the refusal of those that have no match."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import torch
from torch import Tensor, nn

from ..models import Tuned
from .table import Family, Row, Task, expand


class Format(NamedTuple):
    """A class of theirs: that of a family with its own heads, or with one for a task."""

    family: Family
    task: Task | None

    @property
    def prefix(self) -> str:
        """What stands before the names of the body's tensors."""
        return self.family.prefix if self.task is None or self.task.prefix is None else self.task.prefix

    def named(self, name: str) -> str:
        """What this class calls a tensor of the family's own."""
        return self.prefix + name.removeprefix(self.family.prefix) if name.startswith(self.family.prefix) else name

    def original(self, name: str) -> str:
        """What the family calls a tensor of this class."""
        return self.family.prefix + name.removeprefix(self.prefix) if name.startswith(self.prefix) else name

    def architecture(self, model: nn.Module) -> str:
        return self.task.theirs if self.task else self.family.architecture(body_of(model))


def body_of(model: nn.Module) -> nn.Module:
    return model.body if isinstance(model, Tuned) else model


def tensors_of(model: nn.Module, family: Family) -> dict[str, Tensor]:
    """Those that a checkpoint of theirs holds, by name; a tied one once."""
    named = [*model.named_parameters(), *model.named_buffers()]
    kept = model.state_dict().keys()  # without buffers that are no state, such as a rate of stochastic depth
    left_out = tuple(f"{part}." for part in family.left_out)
    return {name: tensor for name, tensor in named if name in kept and not name.startswith(left_out)}


def table_of(model: nn.Module, format: Format) -> list[Row]:
    """The rows for all of a model: its body's, and those of its head."""
    family, task = format
    if task is None:
        return list(expand(family.table(model), model))
    body = [row.renamed(lambda ours: f"body.{ours}", format.named) for row in family.table(body_of(model))]
    return list(expand([*body, *task.rows], model))


def matched(model: nn.Module, format: Format) -> tuple[dict[str, Tensor], list[Row]]:
    """Our tensors by name, a tied one once, and the table's rows, which speak of each exactly once."""
    ours, table = tensors_of(model, format.family), table_of(model, format)
    listed = {name for row in table for name in row.ours}
    refuse(
        model,
        missing=[f"{', '.join(row.theirs)} (our {name})" for row in table for name in row.ours if name not in ours],
        left_over=[f"our {name}" for name in ours if name not in listed],
        misshapen=[],
    )
    return ours, table


def their_shapes(ours: Mapping[str, Tensor], table: Sequence[Row]) -> dict[str, torch.Size]:
    shapes: dict[str, torch.Size] = {}
    for row in table:
        written = row.edit.write([ours[name].detach().to("meta") for name in row.ours])
        shapes |= {name: values.shape for name, values in zip(row.theirs, written, strict=True)}
    return shapes


def require_match(
    model: nn.Module, table: Sequence[Row], shapes: Mapping[str, torch.Size], tensors: Mapping[str, Tensor]
) -> None:
    """Raises ValueError unless there is each tensor of the table, in its shape, and no other."""
    refuse(
        model,
        missing=[f"{name} (our {', '.join(row.ours)})" for row in table for name in row.theirs if name not in tensors],
        left_over=sorted(tensors.keys() - shapes.keys()),
        misshapen=[
            f"{name} is {tuple(tensors[name].shape)}, our {', '.join(row.ours)} asks for {tuple(shapes[name])}"
            for row in table
            for name in row.theirs
            if name in tensors and tensors[name].shape != shapes[name]
        ],
    )


def refuse(model: nn.Module, *, missing: list[str], left_over: list[str], misshapen: list[str]) -> None:
    """Raises ValueError that names every tensor that does not fit."""
    problems = {"missing": missing, "left over": left_over, "of the wrong shape": misshapen}
    lines = [f"  {problem}: {name}" for problem, names in problems.items() for name in names]
    if lines:
        raise ValueError("\n".join([f"the checkpoint does not fit our {type(model).__name__}:", *lines]))
