"""Tiny random models of transformers, written as checkpoints, and ours read from them."""

from collections.abc import Callable
from typing import Any, NamedTuple

import pytest
import torch
from torch import Tensor, nn

from variformer.weights.huggingface import load


class Twins(NamedTuple):
    theirs: Any
    ours: Any
    folder: Any


@pytest.fixture
def twins(tmp_path) -> Callable[[nn.Module], Twins]:
    """Theirs with every tensor drawn anew, so that no bias is zero and no norm one; saved, and read by us."""

    def make(theirs: nn.Module) -> Twins:
        torch.manual_seed(1)
        with torch.no_grad():
            for name, parameter in theirs.named_parameters():
                centre = 1.0 if "norm" in name.lower() and name.endswith("weight") else 0.0
                parameter.normal_(centre, 0.3)
        theirs.save_pretrained(tmp_path)
        return Twins(theirs.eval(), load(tmp_path).eval(), tmp_path)

    return make


@pytest.fixture
def close() -> Callable[[Tensor, Tensor], bool]:
    """Equal but for rounding: at most 1e-5 apart, on the scale of what is expected."""

    def compare(ours: Tensor, theirs: Tensor) -> bool:
        assert ours.shape == theirs.shape
        return bool((ours - theirs).abs().max() <= 1e-5 * theirs.abs().max())

    return compare
