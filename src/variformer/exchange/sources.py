"""The config that an earlier model has: that of its run, or one that follows from a Hugging Face folder."""

import json
from pathlib import Path
from typing import Any

import torch

from .. import portable
from ..config.composing.sources import config_of_run
from ..config.heads import parted
from ..data.cache import build_once, cache_folder, digest_of, file_digest
from ..hub import PICKLED, WEIGHTS, locate, read_json
from .loading import is_run, read_checkpoint, require_checkpoint
from .nodes import node_of, recorded

Config = dict[str, Any]
VERSION = 1


def source_config(source: str) -> Config:
    """At least the `model`, and the `head` where it has one for a task.

    A folder's is found by building its model once; the cache keeps it.
    """
    folder = locate(source)
    if is_run(folder):
        return config_of_run(source)
    require_checkpoint(folder)
    files = sorted(file for pattern in (*WEIGHTS, *PICKLED) for file in folder.glob(pattern))
    cache = cache_folder()
    key = digest_of(VERSION, read_json(folder / "config.json"), [file_digest(file, cache) for file in files])

    def build(place: Path) -> None:
        (place / "config.json").write_text(json.dumps(parted({"model": model_node(folder)})), encoding="utf-8")

    return read_json(build_once(cache / "sources" / key[:32], build) / "config.json")


def model_node(folder: Path) -> Config:
    """The node that builds the model of a Hugging Face folder, its head included."""
    if portable.is_own(folder):
        node: Config = portable.node_of(folder)
        return node
    with recorded() as made, torch.random.fork_rng(devices=[]):
        model = read_checkpoint(folder).model
    return dict(node_of(model, made))
