"""Tiny models with any parts, and their folders."""

import itertools
import json
from pathlib import Path

import pytest
import torch
from torch import nn

from variformer import portable
from variformer.config import instantiate
from variformer.weights.files import write_tensors

SIZES = {"width": 12, "depth": 2, "heads": 2, "hidden": 10}
TEXT = {"vocab_size": 17, "max_length": 20, **SIZES, "dropout": 0.0}
IMAGES = {"image_size": 4, "patch_size": 2, "channels": 1, "classes": 5, **SIZES}
SYSTEMS = {
    "bert": {"_target_": "variformer.models.Bert", **TEXT},
    "roberta": {"_target_": "variformer.models.Roberta", **TEXT},
    "distilbert": {"_target_": "variformer.models.DistilBert", **TEXT},
    "albert": {"_target_": "variformer.models.Albert", "embedding_width": 6, **TEXT},
    "gpt": {"_target_": "variformer.models.GPT", **TEXT},
    "t5": {"_target_": "variformer.models.T5", "head_width": 6, **TEXT},
    "bart": {"_target_": "variformer.models.Bart", **TEXT},
    "vit": {"_target_": "variformer.models.ViT", **IMAGES},
    "deit": {"_target_": "variformer.models.DeiT", **IMAGES},
}
NUMBERS = itertools.count()  # of folders: transformers 5.0 keeps one module for a name
TOKENS = {"pad_token_id": 0, "eos_token_id": 1, "bos_token_id": 2, "decoder_start_token_id": 0}


def part(name: str, **arguments) -> dict:
    module = "torch.nn" if name.endswith("Norm") else "variformer.layers"
    return {"_target_": f"{module}.{name}", "_partial_": True, **arguments}


@pytest.fixture(autouse=True)
def seed():
    torch.manual_seed(0)


def built(node: dict) -> nn.Module:
    """Every parameter random, biases and norms too, so that no zero hides a fault."""
    model = instantiate(node, "model").eval()
    with torch.no_grad():
        for tensor in model.parameters():
            tensor.normal_(0.1, 0.4)
    return model


@pytest.fixture
def written(tmp_path):
    """node -> (the model, its folder)."""

    def write(node: dict, max_shard_bytes: int = 10**9) -> tuple[nn.Module, Path]:
        model, folder = built(node), tmp_path / f"model{next(NUMBERS)}"
        made = portable.contents(model, node, "1.2.3 (commit abc)", TOKENS)
        write_tensors(made.tensors, folder, max_shard_bytes)
        (folder / "config.json").write_text(json.dumps(made.settings))
        for name, text in made.code.items():
            (folder / name).write_text(text)
        return model, folder

    return write
