"""Tiny random models, and as much of a tokenizer as `generate` asks for."""

from functools import partial
from types import SimpleNamespace

import numpy as np
import pytest
import torch

from variformer.models import GPT, T5, Bart

SIZES = {"vocab_size": 40, "width": 16, "depth": 2, "heads": 2, "hidden": 32, "max_length": 64, "dropout": 0.0}
FAMILIES = {"gpt": GPT, "t5": partial(T5, head_width=8, embedding_std=0.3), "bart": Bart}


def letters(size: int = 40) -> SimpleNamespace:
    """A token for each character from "0" on; the first four are special."""
    return SimpleNamespace(
        size=size,
        pad=0,
        end=1,
        start=2,
        mask=3,
        document_start=1,
        special=np.arange(size) < 4,
        byte_tokens=np.zeros(size, dtype=bool),
        sentinels=np.array([], dtype=np.int64),
        encode=lambda text: [ord(each) - 44 for each in text],
        decode=lambda ids, skip_special=True: "".join(chr(44 + id) for id in ids if id >= 4),
    )


@pytest.fixture(scope="session")
def tokenizer() -> SimpleNamespace:
    return letters()


@pytest.fixture
def written():
    """A model whose parameters are wide enough that what it writes is not the same token for ever."""

    def make(family: str, **changes):
        torch.manual_seed(0)
        model = FAMILIES[family](**{**SIZES, **changes}).eval()
        with torch.no_grad():
            for parameter in model.parameters():
                parameter.add_(torch.randn_like(parameter) * 0.3)
        return model

    return make
