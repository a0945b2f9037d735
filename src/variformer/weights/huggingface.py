"""Hugging Face checkpoints, read into our models and written from them.

One table for each model type (`tables/`) serves both directions. Its names are those of checkpoint files
(`save_pretrained`); transformers 5 renames some of them in memory.
"""

import json
import re
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path

import torch
from safetensors.torch import load_file
from torch import Tensor, nn

from .table import Family, Row, expand
from .tables import FAMILIES


def load(folder: str | Path) -> nn.Module:
    """The model that a checkpoint folder holds: config.json and model.safetensors, whole or in shards.

    Raises FileNotFoundError where a file is missing, ValueError where the model type is unknown, the config
    asks for something that our model does not do, or a tensor is missing, left over or of another shape.
    The model is in training mode, as a new one is; all its dropout is the checkpoint's for hidden states.
    """
    folder = Path(folder)
    path = folder / "config.json"
    if not path.is_file():
        raise FileNotFoundError(f"{folder} is no checkpoint folder: it has no config.json")
    config = json.loads(path.read_text(encoding="utf-8"))
    family = FAMILIES.get(config.get("model_type"))
    if family is None:
        known = ", ".join(FAMILIES)
        raise ValueError(f"{path} has the model_type {config.get('model_type')!r}; known are {known}")
    tensors = tidy(read_tensors(folder), family)
    try:
        model = family.build(config, tensors.keys())
    except KeyError as error:
        raise ValueError(f"{path} does not say {error}, which a {config['model_type']} needs") from None
    fill(model, tensors)
    return model


def fill(model: nn.Module, tensors: Mapping[str, Tensor]) -> None:
    """Copy every tensor of theirs into `model`, in the model's precision; unless all fit, none is copied."""
    family = family_of(model)
    parameters, table = matched(model, family)
    tensors = settle_copies(tidy(tensors, family), family, {row.theirs for row in table})
    refuse(
        family,
        missing=[f"{row.theirs} (our {', '.join(row.ours)})" for row in table if row.theirs not in tensors],
        left_over=sorted(tensors.keys() - {row.theirs for row in table}),
        misshapen=misshapen(parameters, tensors, table),
    )
    with torch.no_grad():
        for row in table:
            for name, values in zip(row.ours, row.edit.read(tensors[row.theirs]), strict=True):
                parameters[name].copy_(values)


def to_huggingface(model: nn.Module) -> dict[str, Tensor]:
    """The model's tensors under their names, a tied one once, ready for `safetensors.torch.save_file`.

    They share memory with the model where no edit is needed. Raises ValueError where their model has no place
    for one of our tensors, or we have none for one of theirs: a part was swapped.
    """
    parameters, table = matched(model, family_of(model))
    return {row.theirs: row.edit.write([parameters[name].detach() for name in row.ours]).contiguous() for row in table}


def read_tensors(folder: Path) -> dict[str, Tensor]:
    """The tensors of model.safetensors, or of the shards that model.safetensors.index.json lists."""
    index = folder / "model.safetensors.index.json"
    whole = folder / "model.safetensors"
    if whole.is_file():
        return load_file(whole)
    if not index.is_file():
        raise FileNotFoundError(
            f"{folder} has neither {whole.name} nor {index.name}; other formats can run code when read: "
            "convert them with transformers' save_pretrained"
        )
    places: dict[str, str] = json.loads(index.read_text(encoding="utf-8"))["weight_map"]
    shards = sorted(set(places.values()))
    absent = [shard for shard in shards if not (folder / shard).is_file()]
    if absent:
        raise FileNotFoundError(f"{folder} lacks {', '.join(absent)}, which {index.name} lists")
    tensors: dict[str, Tensor] = {}
    for shard in shards:
        tensors |= load_file(folder / shard)
    if unwritten := sorted(places.keys() - tensors.keys()):
        raise ValueError(f"the shards in {folder} lack {', '.join(unwritten)}, which {index.name} lists")
    return tensors


def tidy(tensors: Mapping[str, Tensor], family: Family) -> dict[str, Tensor]:
    """The same tensors under one set of names, whichever version of transformers wrote them."""
    bare = not any(name.startswith(family.prefix) for name in tensors)
    tidied: dict[str, Tensor] = {}
    for name, tensor in tensors.items():
        name = re.sub(r"LayerNorm\.gamma$", "LayerNorm.weight", name)  # as TensorFlow named them
        name = re.sub(r"LayerNorm\.beta$", "LayerNorm.bias", name)
        name = family.prefix + name if bare else name
        if not re.fullmatch(family.unused, name):
            tidied[name] = tensor
    return tidied


def settle_copies(tensors: dict[str, Tensor], family: Family, wanted: Collection[str]) -> dict[str, Tensor]:
    """The same tensors with one name for a tied one, or with both where our model holds two of them.

    Raises ValueError where our model ties what differs in the file.
    """
    settled = dict(tensors)
    for copy, original in family.copies.items():
        if copy in wanted and original in settled:
            settled.setdefault(copy, settled[original])
        elif copy in settled:
            value = settled.pop(copy)
            if not torch.equal(settled.setdefault(original, value), value):
                raise ValueError(f"{copy} differs from {original}, but our {family.model.__name__} ties them")
    return settled


def family_of(model: nn.Module) -> Family:
    for family in FAMILIES.values():
        if isinstance(model, family.model):
            return family
    known = ", ".join(family.model.__name__ for family in FAMILIES.values())
    raise ValueError(f"no Hugging Face names are known for {type(model).__name__}, only for {known}")


def matched(model: nn.Module, family: Family) -> tuple[dict[str, nn.Parameter], Sequence[Row]]:
    """Our parameters by name, a tied one once, and the table's rows, which speak of each exactly once."""
    parameters, table = dict(model.named_parameters()), list(expand(family.table(model), model))
    listed = {name for row in table for name in row.ours}
    refuse(
        family,
        missing=[f"{row.theirs} (our {name})" for row in table for name in row.ours if name not in parameters],
        left_over=[f"our {name}" for name in parameters if name not in listed],
        misshapen=[],
    )
    return parameters, table


def misshapen(parameters: Mapping[str, Tensor], tensors: Mapping[str, Tensor], table: Sequence[Row]) -> list[str]:
    wrong = []
    for row in table:
        expected = row.edit.write([parameters[name].detach().to("meta") for name in row.ours]).shape
        if row.theirs in tensors and tensors[row.theirs].shape != expected:
            found = tuple(tensors[row.theirs].shape)
            wrong.append(f"{row.theirs} is {found}, our {', '.join(row.ours)} asks for {tuple(expected)}")
    return wrong


def refuse(family: Family, *, missing: list[str], left_over: list[str], misshapen: list[str]) -> None:
    """Raises ValueError that names every tensor that does not fit."""
    problems = {"missing": missing, "left over": left_over, "of the wrong shape": misshapen}
    lines = [f"  {problem}: {name}" for problem, names in problems.items() for name in names]
    if lines:
        raise ValueError("\n".join([f"the checkpoint does not fit our {family.model.__name__}:", *lines]))
