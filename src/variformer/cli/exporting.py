"""A run as a Hugging Face folder, which `from_pretrained` of transformers reads."""

import json
import logging
import os
import shutil
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from ..analysis.cost import parameter_count
from ..data import Tokenizer
from ..hub import read_json
from ..layers import TokenEmbedding
from ..models import T5, Bart
from ..training.checkpoint_io import digest_of
from ..training.run_directory import RunDirectory, write_json
from ..weights import huggingface
from ..weights.files import SHARD_BYTES, remove_weights, write_tensors
from .folders import require_writable
from .loading import load_run, run_config, run_preprocessor, tokenizer_of
from .model_card import KINDS, Card

log = logging.getLogger(__name__)

Json = dict[str, Any]
GENERATES = (
    "LMHeadModel",
    "ForCausalLM",
    "ForConditionalGeneration",
)  # how the names of their classes end that write texts
GENERATION = (
    *("bos_token_id", "eos_token_id", "pad_token_id", "decoder_start_token_id", "forced_bos_token_id"),
    "forced_eos_token_id",
)  # what generation needs to know of config.json
SECTIONS = ("attn_config",)  # settings within config.json, of which ours says a part
ENDLESS = int(1e30)  # transformers' way to say that a tokenizer knows no limit


def export(
    run_dir: str | Path,
    folder: str | Path,
    *,
    checkpoint: str = "last",
    max_shard_bytes: int = SHARD_BYTES,
    force=False,
) -> Path:
    """Write the model of a run, its tokenizer or image processor, and a card into `folder`.

    With `force`, files of an earlier export there are replaced; whatever else it holds stays. Raises FileExistsError
    where it holds something otherwise, and ValueError where transformers has no model of the run's parts.
    """
    folder, run = Path(folder).resolve(), RunDirectory(run_dir)
    if folder.is_dir() and any(folder.iterdir()) and not force:
        raise FileExistsError(f"{folder} exists and is not empty: choose another folder, or --force to write into it")
    require_writable(folder)
    model = load_run(run.path, checkpoint)
    tokenizer, preprocessor = tokenizer_of(run.path), run_preprocessor(run.path)
    came = imported(run, "config.json")
    tensors = huggingface.to_huggingface(model, model_type=came.get("model_type"))
    tensors = as_they_came(tensors, imported(run, run.precisions.name))
    settings = settings_of(model, tokenizer, came)
    working = (folder if folder.is_dir() else folder.parent) / f".{folder.name}.{os.getpid()}.tmp"
    working.mkdir(parents=True)
    try:
        write_json(working / "config.json", settings)
        write_tensors(tensors, working, max_shard_bytes)
        if tokenizer is not None:
            write_tokenizer(model, run, working)
        if preprocessor is not None:
            write_json(working / "preprocessor_config.json", preprocessor)
        if settings["architectures"][0].endswith(GENERATES):
            generation = {name: settings[name] for name in GENERATION if settings.get(name) is not None}
            write_json(working / "generation_config.json", generation | imported(run, "generation_config.json"))
        (working / "README.md").write_text(str(card(run, model, settings, checkpoint)), encoding="utf-8")
        move(working, folder)
    finally:
        shutil.rmtree(working, ignore_errors=True)
    return folder


def settings_of(model: nn.Module, tokenizer: Tokenizer | None, came: Json) -> Json:
    """config.json: what the model is, over what it came with. Precision, tokens and class names stay as they came.

    So does their class: one for masked tokens alone may come with a pooler, which our judge of pairs keeps.
    """
    ids = {name: id for name, id in came.items() if name.endswith("_token_id") and id is not None}
    ours = huggingface.config_of(model, model_type=came.get("model_type"), **(token_ids(model, tokenizer) | ids))
    settings = came | {name: value for name, value in ours.items() if value is not None or name not in came}
    settings |= {
        name: came[name] | ours[name] for name in SECTIONS if isinstance(came.get(name), dict) and name in ours
    }
    settings |= {name: came[name] for name in ("id2label", "label2id") if name in came}
    if known := [name for name in came.get("architectures") or () if name.endswith(tuple(KINDS))]:
        settings["architectures"] = known
    dtype = settings.pop("torch_dtype", None)  # as transformers 4 called it
    return settings | ({"dtype": came.get("dtype") or dtype} if came else {})


def token_ids(model: nn.Module, tokenizer: Tokenizer | None) -> dict[str, Any]:
    """The special tokens that a config names; those that the tokenizer lacks are left out."""
    if tokenizer is None:
        return {}
    named = {name: tokenizer.names.get(f"{name}_token") for name in ("pad", "bos", "eos")}  # BERT has no eos, but a sep
    ids = {f"{name}_token_id": token and tokenizer.core.token_to_id(token) for name, token in named.items()}
    if isinstance(model, T5):
        ids["decoder_start_token_id"] = tokenizer.pad
    if isinstance(model, Bart):
        ids |= {"decoder_start_token_id": tokenizer.end, "forced_eos_token_id": tokenizer.end}
    return {name: id for name, id in ids.items() if id is not None}


def write_tokenizer(model: nn.Module, run: RunDirectory, folder: Path) -> None:
    """The run's files; to a tokenizer of our own what transformers needs to know of the model is added."""
    shutil.copytree(run.tokenizer, folder, dirs_exist_ok=True)
    if run.imported.is_dir():
        return
    segments = [each.segments for each in model.modules() if isinstance(each, TokenEmbedding)]
    told_apart = any(each is not None and each.num_embeddings > 1 for each in segments)
    file = folder / "tokenizer_config.json"
    config = read_json(file)
    config["model_max_length"] = run_config(run.path)["model"].get("max_length") or ENDLESS
    config["model_input_names"] = ["input_ids", *(["token_type_ids"] if told_apart else []), "attention_mask"]
    write_json(file, config)


def imported(run: RunDirectory, name: str) -> Json:
    """A file of settings that an imported model came with; empty where there is none."""
    file = run.imported / name
    return read_json(file) if file.is_file() else {}


def as_they_came(tensors: dict[str, Tensor], precisions: dict[str, str]) -> dict[str, Tensor]:
    """The tensors that an imported model came with, in their precisions; all of them where it was trained here."""
    if not precisions:
        return tensors
    return {name: each.to(getattr(torch, precisions[name])) for name, each in tensors.items() if name in precisions}


def card(run: RunDirectory, model: nn.Module, settings: Json, checkpoint: str) -> Card:
    config = run_config(run.path)
    record, metrics = run.facts(), measured(run, checkpoint)
    return Card(config["name"], settings["architectures"][0], parameter_count(model), config, metrics, record)


def measured(run: RunDirectory, checkpoint: str) -> dict[str, dict[str, float]]:
    """The metrics of a checkpoint by split: at the end of training, and of every evaluation since."""
    metrics: dict[str, dict[str, float]] = {}
    if checkpoint == "last" and run.metrics.is_file():
        for name, value in json.loads(run.metrics.read_text()).items():
            split, slash, metric = name.partition("/")
            if slash:
                metrics.setdefault(split, {})[metric] = value
    for split in ("val", "test"):
        if values := evaluation(run, split, checkpoint):
            metrics[split] = {name: value for name, value in values.items() if not isinstance(value, str)}
    return metrics


def evaluation(run: RunDirectory, split: str, checkpoint: str) -> Json:
    """What evaluate.py has kept; nothing where it was of other data or of weights that the checkpoint had before."""
    file = run.evaluation(split, checkpoint)
    values = json.loads(file.read_text(encoding="utf-8")) if file.is_file() else {}
    now = {
        "data": (run.facts().get("data") or {}).get("fingerprint"),
        "weights": digest_of(run.checkpoint(checkpoint)),
    }
    other = [name for name, mark in now.items() if mark and values.get(name, mark) != mark]
    if other:
        log.warning("%s is left out: it was measured with other %s than the run has now", file, " and ".join(other))
    return {} if other else values


def move(source: Path, folder: Path) -> None:
    """Everything in `source` into `folder`, in place of the weights of an earlier export."""
    folder.mkdir(exist_ok=True)
    remove_weights(folder)
    for file in source.iterdir():
        os.replace(file, folder / file.name)
