"""Hugging Face checkpoints, read into our models and written from them: all ten systems, with every head.

    load(folder) -> model                                    config.json and tensors -> ours
    to_huggingface(model) -> {name: tensor}                  for `files.write_tensors(tensors, folder)`
    config_of(model, labels=(), **token_ids) -> dict         config.json, e.g. config_of(model, pad_token_id=0)
    fill(model, tensors)                                     their tensors into a model of ours

One table for each model type (`tables/`) serves both directions. Its names are those of checkpoint files
(`save_pretrained`); transformers 5 renames some of them in memory.
"""

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

from ..hub import read_json
from ..models import Tuned
from .files import read_tensors
from .settings import Settings
from .table import Family, Row, Task, count_classes, expand
from .tables import FAMILIES


class Format(NamedTuple):
    """Their class, which a model of ours corresponds to: a family with its own heads, or with one for a task."""

    family: Family
    task: Task | None


def load(folder: str | Path) -> nn.Module:
    """The model that a checkpoint folder holds: config.json and the tensors, whole or in shards.

    Which of our classes it is say `architectures` in config.json, or else the names of the tensors.
    Raises FileNotFoundError where a file is missing, ValueError where the model type is unknown, the config
    asks for something that our model does not do, or a tensor is missing, left over or of another shape.
    The model is in training mode, as a new one is; all its dropout is the checkpoint's for hidden states.
    """
    return read(folder)[0]


def read(folder: str | Path) -> tuple[nn.Module, dict[str, str]]:
    """The model as `load` gives it, and the precision of each tensor that the files hold, by its name when written."""
    path = Path(folder) / "config.json"
    if not path.is_file():
        raise FileNotFoundError(f"{folder} is no checkpoint folder: it has no config.json")
    values = read_json(path)
    family = FAMILIES.get(str(values.get("model_type")))
    if family is None:
        known = ", ".join(FAMILIES)
        raise ValueError(f"{path} has the model_type {values.get('model_type')!r}; known are {known}")
    tensors = tidy(read_tensors(folder), family)
    try:
        model = build(family, Settings(values), tensors)
    except ValueError as error:
        raise ValueError(f"{path}: {error}") from None
    held = put(model, tensors)
    return model, {name: str(tensor.dtype).removeprefix("torch.") for name, tensor in held.items()}


def build(family: Family, config: Settings, tensors: Mapping[str, Tensor]) -> nn.Module:
    """A new model of ours, of the kind that the checkpoint holds."""
    body = family.build(config, tensors)
    architectures = config.architectures()
    for task in family.tasks:
        there = all(name in tensors for row in task.rows for name in row.theirs)
        if task.theirs in architectures or (there and not architectures):
            return task.build(body, config, count_classes(tensors, task.scores, config))
    return body


def fill(model: nn.Module, tensors: Mapping[str, Tensor]) -> None:
    """Copy every tensor of theirs into `model`, in the model's precision; unless all fit, none is copied."""
    put(model, tidy(tensors, format_of(model).family))


def put(model: nn.Module, tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Copy tidy tensors into `model`; those of them that it took, by the names of its table."""
    ours, table = matched(model)
    shapes = their_shapes(ours, table)
    taken = settle(tensors, model, shapes)
    undecided = format_of(model).family.zeros
    tensors = {name: torch.zeros(shape) for name, shape in shapes.items() if re.fullmatch(undecided, name)} | taken
    source = {name: f"{name} (our {', '.join(row.ours)})" for row in table for name in row.theirs}
    refuse(
        model,
        missing=[source[name] for name in shapes if name not in tensors],
        left_over=sorted(tensors.keys() - shapes.keys()),
        misshapen=[
            f"{name} is {tuple(tensors[name].shape)}, our {', '.join(row.ours)} asks for {tuple(shapes[name])}"
            for row in table
            for name in row.theirs
            if name in tensors and tensors[name].shape != shapes[name]
        ],
    )
    with torch.no_grad():
        for row in table:
            for name, values in zip(row.ours, row.edit.read([tensors[name] for name in row.theirs]), strict=True):
                ours[name].copy_(values)
    return taken


def to_huggingface(model: nn.Module) -> dict[str, Tensor]:
    """The model's tensors under their names, a tied one once, ready for `files.write_tensors`.

    They share memory with the model where no edit is needed. Raises ValueError where their model has no place
    for one of our tensors, or we have none for one of theirs: a part was swapped.
    """
    ours, table = matched(model)
    return {
        name: values.contiguous()
        for row in table
        for name, values in zip(row.theirs, row.edit.write([ours[each].detach() for each in row.ours]), strict=True)
    }


def config_of(model: nn.Module, *, labels: Sequence[str] = (), **token_ids: int | None) -> dict[str, Any]:
    """Their config.json for a model of ours, so that theirs computes the same.

    `labels` are the names of the classes, LABEL_0, LABEL_1, ... where none are given. `token_ids` are named as theirs:
    pad_token_id, bos_token_id, eos_token_id, ...; those that the model was made for (RoBERTa's padding, from which its
    positions count; the start and end of BART's and T5's heads for tasks) must agree.
    Raises ValueError that names a part for which theirs has no place.
    """
    matched(model)
    family, task = format_of(model)
    body = model.body if isinstance(model, Tuned) else model
    said = {**family.config(body), **(task.config(model) if task else {})}
    for name in said.keys() & token_ids.keys():
        if token_ids[name] != said[name]:
            made_for = f"the model was made for {said[name]}: it needs a tokenizer that has it so"
            raise ValueError(f"{name}={token_ids[name]} was given, but {made_for}")
    return {
        "architectures": [task.theirs if task else family.architecture(model)],
        "model_type": next(name for name, each in FAMILIES.items() if each is family),
        "dtype": str(next(model.parameters()).dtype).removeprefix("torch."),
        **dict.fromkeys(("bos_token_id", "eos_token_id", "pad_token_id")),
        **family.tokens,
        **token_ids,
        **said,
        **label_names(model, labels),
    }


def label_names(model: nn.Module, labels: Sequence[str]) -> dict[str, Any]:
    """What their config says of the classes of a classifier; nothing for other models."""
    family, task = format_of(model)
    scores = task.our_scores if task else family.our_scores
    if scores is None:
        return {}
    count = len(model.get_parameter(scores))
    names = list(labels) or [f"LABEL_{number}" for number in range(count)]
    if len(names) != count:
        raise ValueError(f"{len(names)} labels were given for {count} classes")
    return {"id2label": dict(enumerate(names)), "label2id": {name: number for number, name in enumerate(names)}}


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


def tidy(tensors: Mapping[str, Tensor], family: Family) -> dict[str, Tensor]:
    """The same tensors under one set of names, whichever version of transformers wrote them."""
    bare = not any(name.startswith(family.prefix) for name in tensors)
    tidied: dict[str, Tensor] = {}
    for name, tensor in tensors.items():
        name = re.sub(r"LayerNorm\.gamma$", "LayerNorm.weight", name)  # as TensorFlow named them
        name = re.sub(r"LayerNorm\.beta$", "LayerNorm.bias", name)
        tidied[family.prefix + name if bare else name] = tensor
    return tidied


def settle(tensors: Mapping[str, Tensor], model: nn.Module, shapes: Mapping[str, torch.Size]) -> dict[str, Tensor]:
    """The same tensors with one name for a tied one, or with both where our model holds two of them.

    What may be left over is left out. Raises ValueError where our model ties what differs in the file.
    """
    family, task = format_of(model)
    prefix = re.escape(task.prefix) if task else ""
    settled = {
        name: tensor
        for name, tensor in tensors.items()
        if name in shapes or not re.fullmatch(f"{prefix}({family.unused})", name)
    }
    for copy, original in family.copies.items():
        copy, original = (f"{task.prefix if task else ''}{name}" for name in (copy, original))
        if copy in shapes and original in settled:
            settled.setdefault(copy, settled[original])
        elif copy in settled:
            value = settled.pop(copy)
            if not torch.equal(settled.setdefault(original, value), value):
                raise ValueError(f"{copy} differs from {original}, but our {type(model).__name__} ties them")
    return settled


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


def refuse(model: nn.Module, *, missing: list[str], left_over: list[str], misshapen: list[str]) -> None:
    """Raises ValueError that names every tensor that does not fit."""
    problems = {"missing": missing, "left over": left_over, "of the wrong shape": misshapen}
    lines = [f"  {problem}: {name}" for problem, names in problems.items() for name in names]
    if lines:
        raise ValueError("\n".join([f"the checkpoint does not fit our {type(model).__name__}:", *lines]))
