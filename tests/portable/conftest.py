"""Tiny models with any parts, and their folders."""

import itertools
import json
from pathlib import Path

import pytest
import systems
import torch
from torch import nn

from variformer import portable
from variformer.config import instantiate
from variformer.weights.files import write_tensors

SYSTEMS = {system: systems.node_of(system, dropout=0.0) for system in systems.FAMILIES}
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
    return systems.drawn(instantiate(node, "model").eval(), 0.1, 0.4)


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
