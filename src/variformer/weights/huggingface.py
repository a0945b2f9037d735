"""Hugging Face checkpoints, read into our models and written from them: all systems, with every head.

    load(folder) -> model                                    config.json and tensors -> ours
    destination(model) -> Destination                        their class that has its parts, or why there is none
    to_huggingface(model) -> {name: tensor}                  for `files.write_tensors(tensors, folder)`
    config_of(model, labels=(), **token_ids) -> dict         config.json, e.g. config_of(model, pad_token_id=0)
    fill(model, tensors)                                     their tensors into a model of ours

One table for each model type (`tables/`) serves both directions. Its names are those of checkpoint files
(`save_pretrained`); transformers 5 renames some of them in memory. A folder is read by its `model_type`; a model is
written as the first model type that has its parts, or as `model_type` where that has them too.
"""

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

from ..hub import read_json
from .destination import Destination, destination, format_in, format_of
from .files import read_tensors
from .matching import Format, body_of, matched, require_match, their_shapes
from .settings import Settings
from .table import Family, Row, Tensors, count_classes
from .tables import FAMILIES

__all__ = ["Checkpoint", "Destination", "config_of", "destination", "fill", "load", "read", "to_huggingface"]


class Checkpoint(NamedTuple):
    model: nn.Module
    precisions: dict[str, str]  # of each tensor of the model that is written, by its name in files
    anew: list[str]  # parts of the model that the files lack: it has their initial values


def load(folder: str | Path) -> nn.Module:
    """The model that a checkpoint folder holds: config.json and the tensors, whole or in shards.

    `architectures` in config.json, or else the names of the tensors, say which of our classes it is.
    A head that is missing as a whole has its initial values, as in files of a model without one (BertModel).
    The model is in training mode, as a new one is; all its dropout is the checkpoint's for hidden states.
    Raises FileNotFoundError if a file is missing. Raises ValueError if the model type is unknown, if the config asks
    for something that our model does not do, or if a tensor is missing, left over or of another shape.
    """
    return read(folder).model


def read(folder: str | Path) -> Checkpoint:
    """The model as `load` gives it, and what the files say of each of its tensors."""
    path = Path(folder) / "config.json"
    if not path.is_file():
        raise FileNotFoundError(f"{folder} is no checkpoint folder: it has no config.json")
    values = read_json(path)
    family = FAMILIES.get(str(values.get("model_type")))
    if family is None:
        known = ", ".join(sorted(FAMILIES))
        raise ValueError(f"{path} has the model_type {values.get('model_type')!r}; known are {known}")
    tensors = tidy(read_tensors(folder), family)
    try:
        model = build(family, Settings(values), tensors)
    except ValueError as error:
        raise ValueError(f"{path}: {error}") from None
    format = format_in(family, model)
    assert format is not None, "a family builds what it has a format for"
    taken, absent = put(model, tensors, format, starts_heads_anew=True)
    precisions = dict.fromkeys((name for row in absent for name in row.theirs), precision_of(next(model.parameters())))
    precisions |= {name: precision_of(tensor) for name, tensor in taken.items()}
    anew = [head for head in family.heads if any(row.is_below(head) for row in absent)]
    return Checkpoint(model, precisions, anew)


def precision_of(tensor: Tensor) -> str:
    return str(tensor.dtype).removeprefix("torch.")


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
    format = format_of(model)
    put(model, tidy(tensors, format.family), format)


def put(
    model: nn.Module, tensors: Mapping[str, Tensor], format: Format, starts_heads_anew: bool = False
) -> tuple[dict[str, Tensor], list[Row]]:
    """Copy tidy tensors into `model`: those of them that it took, by the names of its table, and the rows of heads that
    they lack, which are left as they are where `starts_heads_anew`.
    """
    ours, table = matched(model, format)
    family, shapes = format.family, their_shapes(ours, table)
    taken = without_copies(tensors, model, format, shapes)
    absent = absent_heads(family, table, taken, tensors) if starts_heads_anew else []
    table = [row for row in table if row not in absent]
    for name in [name for row in absent for name in row.theirs]:
        del shapes[name]
        taken.pop(name, None)
    undecided = {name: torch.zeros(shape) for name, shape in shapes.items() if re.fullmatch(family.zeros, name)}
    tensors = undecided | taken
    require_match(model, table, shapes, tensors)
    with torch.no_grad():
        for row in table:
            for name, values in zip(row.ours, row.edit.read([tensors[name] for name in row.theirs]), strict=True):
                ours[name].copy_(values)
    return taken, absent


def absent_heads(family: Family, table: Sequence[Row], taken: Tensors, files: Tensors) -> list[Row]:
    """The rows of heads of which the files hold nothing; none where all that they lack may be zero.

    Beside a head that is missing, one that `taken` has as a copy of the embedding is missing too (T5's encoder).
    """

    def lacking(tensors: Tensors) -> list[Row]:
        heads = [[row for row in table if row.is_below(head)] for head in family.heads]
        return [row for its in heads if not any(each.names_any(tensors) for each in its) for row in its]

    unknown = any(not re.fullmatch(family.zeros, name) for row in lacking(taken) for name in row.theirs)
    return lacking(files) if unknown else []


def to_huggingface(model: nn.Module, *, model_type: str | None = None) -> dict[str, Tensor]:
    """The model's tensors under their names, a tied one once, ready for `files.write_tensors`.

    They share memory with the model where no edit is needed. The class is that of `destination`; raises ValueError that
    names the parts where there is none.
    """
    ours, table = matched(model, format_of(model, model_type))
    return {
        name: values.contiguous()
        for row in table
        for name, values in zip(row.theirs, row.edit.write([ours[each].detach() for each in row.ours]), strict=True)
    }


def config_of(
    model: nn.Module, *, model_type: str | None = None, labels: Sequence[str] = (), **token_ids: int | None
) -> dict[str, Any]:
    """Their config.json for a model of ours, so that theirs computes the same, for the class of `destination`.

    `labels` are the names of the classes, LABEL_0, LABEL_1, ... where none are given. `token_ids` are named as theirs:
    pad_token_id, bos_token_id, eos_token_id, ...; those that the model was made for (RoBERTa's padding, from which its
    positions count; the start and end of BART's and T5's heads for tasks) must agree.
    Raises ValueError that names the parts for which theirs has no place.
    """
    format = format_of(model, model_type)
    family, task = format
    said = {**family.config(body_of(model)), **(task.config(model) if task else {})}
    for name in said.keys() & token_ids.keys():
        if token_ids[name] != said[name]:
            made_for = f"the model was made for {said[name]}: it needs a tokenizer that has it so"
            raise ValueError(f"{name}={token_ids[name]} was given, but {made_for}")
    return {
        "architectures": [format.architecture(model)],
        "model_type": family.model_type,
        "dtype": str(next(model.parameters()).dtype).removeprefix("torch."),
        **dict.fromkeys(("bos_token_id", "eos_token_id", "pad_token_id")),
        **family.tokens,
        **token_ids,
        **said,
        **label_names(model, format, labels),
    }


def label_names(model: nn.Module, format: Format, labels: Sequence[str]) -> dict[str, Any]:
    """What their config says of the classes of a classifier; nothing for other models."""
    family, task = format
    scores = task.our_scores if task else family.our_scores
    if scores is None:
        return {}
    count = len(model.get_parameter(scores))
    names = list(labels) or [f"LABEL_{number}" for number in range(count)]
    if len(names) != count:
        raise ValueError(f"{len(names)} labels were given for {count} classes")
    return {"id2label": dict(enumerate(names)), "label2id": {name: number for number, name in enumerate(names)}}


def tidy(tensors: Mapping[str, Tensor], family: Family) -> dict[str, Tensor]:
    """The same tensors under one set of names, whichever version of transformers wrote them."""
    prefixes = tuple({family.prefix, *(task.prefix for task in family.tasks if task.prefix is not None)})
    bare = not any(name.startswith(prefixes) for name in tensors)
    tidied: dict[str, Tensor] = {}
    for name, tensor in tensors.items():
        name = re.sub(r"LayerNorm\.gamma$", "LayerNorm.weight", name)  # as TensorFlow named them
        name = re.sub(r"LayerNorm\.beta$", "LayerNorm.bias", name)
        tidied[family.prefix + name if bare else name] = tensor
    return tidied


def without_copies(
    tensors: Mapping[str, Tensor], model: nn.Module, format: Format, shapes: Mapping[str, torch.Size]
) -> dict[str, Tensor]:
    """The same tensors with one name for a tied one.

    What may be left over is left out. Raises ValueError where our model ties what differs in the file.
    """
    family = format.family
    found = {
        name: tensor
        for name, tensor in tensors.items()
        if name in shapes or not re.fullmatch(family.unused, format.original(name))
    }
    for copy, original in family.copies.items():
        copy, original = format.named(copy), format.named(original)
        if family.fills_copies and copy in shapes and original in found:
            found.setdefault(copy, found[original])
        elif copy in found and copy not in shapes:
            value = found.pop(copy)
            if not torch.equal(found.setdefault(original, value), value):
                raise ValueError(f"{copy} differs from {original}, but our {type(model).__name__} ties them")
    return found
