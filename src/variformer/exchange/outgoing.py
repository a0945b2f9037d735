"""What a run's model is for transformers: its class that has the parts, or the model with its own modelling code."""

import importlib.metadata
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

from .. import portable
from ..config import instantiate
from ..data import Tokenizer
from ..hub import read_json
from ..layers import LowRankLinear
from ..run_directory.directory import RunDirectory, code_state
from ..weights import huggingface
from ..weights.destination import Destination, destination
from .loading import labels_of, run_config, run_node, scale_of
from .readers import READERS

Json = dict[str, Any]
REASON = "own_code_because"  # in config.json
SECTIONS = ("attn_config",)  # settings within config.json, of which ours says a part


class Outgoing(NamedTuple):
    settings: Json  # config.json
    tensors: dict[str, Tensor]
    code: dict[str, str]  # files by name; none for a class of transformers

    @property
    def architecture(self) -> str:
        return self.settings["architectures"][0]

    @property
    def reason(self) -> str:
        """Why no class of transformers has the parts; empty where one has them."""
        return self.settings.get(REASON, "")


def outgoing(model: nn.Module, run: RunDirectory, tokenizer: Tokenizer | None) -> Outgoing:
    """The files for a run's model. Raises ValueError where no class has its parts and their code cannot go along."""
    came = imported(run, "config.json")
    found = destination_of(model, came)
    if found.architecture is None:
        out = with_own_code(model, run, token_ids(model, tokenizer), came, found.because)
    else:
        tensors = huggingface.to_huggingface(model, model_type=came.get("model_type"))
        out = Outgoing(settings_of(model, tokenizer, came), tensors, {})
    out.settings.update(said_of_classes(run, out.settings))
    return out._replace(tensors=as_they_came(out.tensors, imported(run, run.precisions.name)))


def destination_of(model: nn.Module, came: Json) -> Destination:
    """The class of transformers for a model that came with this config.json, if with any; own code goes as it came."""
    if came.get("model_type") == portable.MODEL_TYPE:
        return Destination(None, came.get(REASON, ""))
    return destination(model, came.get("model_type"))


def exports(model: nn.Module, node: Json, came: Json | None = None) -> str:
    """What plans, runs and `info` say of a model's export. `node` is the model's config, its head included."""
    if any(isinstance(part, LowRankLinear) for part in model.modules()):  # which are merged on export
        with torch.device("meta"):
            model = instantiate(node, "model")
    found = destination_of(model, came or {})
    obstacle = None if found.architecture else portable.obstacle(model, node)
    return f"not as a Hugging Face folder, because {obstacle}" if obstacle else str(found)


def said_of_classes(run: RunDirectory, settings: Json) -> Json:
    """What config.json says of the classes of a run's task, so that pipelines of transformers answer by their names."""
    if "id2label" not in settings:
        return {}
    if scale_of(run_config(run.path)) is not None:
        return {"problem_type": "regression"}
    labels = labels_of(run.path)
    if labels is None or len(labels) != len(settings["id2label"]):
        return {}
    return {"id2label": dict(enumerate(labels)), "label2id": {name: number for number, name in enumerate(labels)}}


def with_own_code(model: nn.Module, run: RunDirectory, ids: Json, came: Json, reason: str) -> Outgoing:
    own = portable.contents(model, run_node(run.path), stamp(), ids | ids_of(came))
    kept = {name: came[name] for name in ("id2label", "label2id", "dtype") if name in came}
    return Outgoing(own.settings | kept | {REASON: reason}, own.tensors, own.code)


def stamp() -> str:
    """Of which version the code is that goes along."""
    commit = code_state().get("commit")
    return importlib.metadata.version("variformer") + (f" (commit {commit})" if commit else "")


def settings_of(model: nn.Module, tokenizer: Tokenizer | None, came: Json) -> Json:
    """config.json: what the model is, over what it came with. Precision, tokens and class names stay as they came.

    So does their class: one for only masked tokens may come with a pooler, which our pair head keeps.
    """
    ids = token_ids(model, tokenizer) | ids_of(came)
    ours = huggingface.config_of(model, model_type=came.get("model_type"), **ids)
    settings = came | {name: value for name, value in ours.items() if value is not None or name not in came}
    settings |= {
        name: came[name] | ours[name] for name in SECTIONS if isinstance(came.get(name), dict) and name in ours
    }
    settings |= {name: came[name] for name in ("id2label", "label2id") if name in came}
    if known := [name for name in came.get("architectures") or () if name.endswith(tuple(READERS))]:
        settings["architectures"] = known
    dtype = settings.pop("torch_dtype", None)  # as transformers 4 called it
    return settings | ({"dtype": came.get("dtype") or dtype} if came else {})


def ids_of(came: Json) -> Json:
    """The special tokens that an imported model came with."""
    return {name: id for name, id in came.items() if name.endswith("_token_id") and id is not None}


def token_ids(model: nn.Module, tokenizer: Tokenizer | None) -> dict[str, Any]:
    """The special tokens that a config names; those that the tokenizer lacks are left out."""
    if tokenizer is None:
        return {}
    named = {name: tokenizer.names.get(f"{name}_token") for name in ("pad", "bos", "eos")}  # BERT has no eos, but a sep
    ids = {f"{name}_token_id": token and tokenizer.core.token_to_id(token) for name, token in named.items()}
    for theirs, ours in ("decoder_start_token_id", "start_token"), ("forced_eos_token_id", "last_token"):
        if role := getattr(model, ours, None):
            ids[theirs] = getattr(tokenizer, role)
    return {name: id for name, id in ids.items() if id is not None}


def imported(run: RunDirectory, name: str) -> Json:
    """A file of settings that an imported model came with; empty where there is none."""
    file = run.imported / name
    return read_json(file) if file.is_file() else {}


def as_they_came(tensors: dict[str, Tensor], precisions: dict[str, str]) -> dict[str, Tensor]:
    """The tensors that an imported model came with, in their precisions; all of them where it was trained here."""
    if not precisions:
        return tensors
    return {name: each.to(getattr(torch, precisions[name])) for name, each in tensors.items() if name in precisions}
