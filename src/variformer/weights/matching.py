"""Which tensors of theirs are which of a model's, and the refusal of those that have no match."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import torch
from torch import Tensor, nn

from ..models import Tuned
from .table import Family, Row, Task, expand
from .tables import FAMILIES


class Format(NamedTuple):
    """Their class, which a model of ours corresponds to: a family with its own heads, or with one for a task."""

    family: Family
    task: Task | None


def format_of(model: nn.Module) -> Format:
    """The nearest family to the class of a model, or of its body. Raises ValueError where there is none."""
    body = model.body if isinstance(model, Tuned) else model
    families = {kind: family for family in FAMILIES.values() for kind in family.models}
    family = next((families[kind] for kind in type(body).__mro__ if kind in families), None)
    if family is None:
        known = ", ".join(kind.__name__ for kind in families)
        raise ValueError(f"no Hugging Face names are known for {type(body).__name__}, only for {known}")
    if not isinstance(model, Tuned):
        return Format(family, None)
    task = next((task for task in family.tasks if task.model is type(model)), None)
    if task is None:
        known = ", ".join(task.model.__name__ for task in family.tasks)
        raise ValueError(
            f"Hugging Face has no class for a {type(model).__name__} on {type(body).__name__}, only for {known}"
        )
    return Format(family, task)


def table_of(model: nn.Module) -> list[Row]:
    """The rows for all of a model: its body's, and those of its head."""
    family, task = format_of(model)
    if task is None:
        return list(expand(family.table(model), model))
    body = [row.below("body.", task.prefix) for row in family.table(model.body)]
    return list(expand([*body, *task.rows], model))


def matched(model: nn.Module) -> tuple[dict[str, Tensor], list[Row]]:
    """Our tensors by name, a tied one once, and the table's rows, which speak of each exactly once."""
    ours, table = {**dict(model.named_parameters()), **dict(model.named_buffers())}, table_of(model)
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
