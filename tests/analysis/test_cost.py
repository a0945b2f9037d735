from functools import partial

import numpy as np
import pytest
import torch
from torch import nn

from variformer.analysis.cost import hardware_flops, model_flops, parameter_count, peak_flops
from variformer.analysis.figures import draw_curves
from variformer.layers import Attention, Transformer
from variformer.models import GPT, T5, Bart, Bert, DistilBert
from variformer.objectives.masked_tokens import MaskedTokens
from variformer.objectives.next_token import NextToken
from variformer.objectives.objective import Objective, Scores
from variformer.objectives.token_distillation import TokenDistillation

SIZES = dict(vocab_size=1000, width=32, depth=3, heads=4, hidden=128, max_length=16, dropout=0.0)
BATCH, LENGTH = 2, 16


def matrices(key_value_heads: int = 4) -> int:
    """The weights that each token of a GPT of these sizes is multiplied by."""
    share = key_value_heads / 4
    return 3 * round((2 + 2 * share) * 32 * 32 + 2 * 32 * 128) + 1000 * 32


def checkpointed(model: nn.Module, on: bool) -> nn.Module:
    for module in model.modules():
        if isinstance(module, Transformer):
            module.checkpointing = on
    return model


def gpt_flops(vocabulary, count=model_flops, checkpointing: bool = False, **attention) -> float:
    model = checkpointed(GPT(**SIZES, attention=partial(Attention, **attention)), checkpointing)
    tokens = torch.randint(1000, (BATCH, LENGTH))
    counted = count(model, NextToken(vocabulary, LENGTH), {"tokens": tokens, "targets": tokens})
    assert next(model.parameters()).device.type == "cpu"
    return counted


@pytest.mark.parametrize(("key_value_heads", "window"), [(4, None), (2, None), (1, None), (2, 3), (4, 0), (4, 99)])
def test_flops_are_those_of_the_formula(vocabulary, key_value_heads, window):
    """6 N per token and attention's 12 L D per pair (Chowdhery et al., 2022, appendix B); causality is not discounted.

    Fewer heads of keys and values have smaller matrices, and as many products with the queries.
    """
    pairs = sum(window is None or abs(i - j) <= window for i in range(LENGTH) for j in range(LENGTH))
    expected = BATCH * (LENGTH * 6 * matrices(key_value_heads) + 12 * 3 * 32 * pairs)
    assert gpt_flops(vocabulary, key_value_heads=key_value_heads, window=window) == expected


def test_what_checkpointing_computes_again_is_not_the_models(vocabulary):
    """It is the forward pass of the blocks up to their last matrix: 2 per token and weight, and 4 L D per pair."""
    own = gpt_flops(vocabulary)
    assert gpt_flops(vocabulary, checkpointing=True) == own == gpt_flops(vocabulary, hardware_flops)
    again = BATCH * (LENGTH * 2 * 3 * (4 * 32 * 32 + 32 * 128) + 4 * 3 * 32 * LENGTH**2)
    assert gpt_flops(vocabulary, partial(hardware_flops, checkpointing=True)) == own + again


def test_kernels_compute_what_lies_outside_of_a_window(vocabulary):
    assert gpt_flops(vocabulary, hardware_flops, window=3) == gpt_flops(vocabulary)


@pytest.mark.parametrize("model", [T5, Bart])
def test_a_window_shortens_no_cross_attention(vocabulary, model):
    """Two of the three attentions of each depth have a window; each product is done once forward, twice backward."""
    tokens = {"source": torch.randint(1000, (BATCH, 16)), "target": torch.randint(1000, (BATCH, 8))}

    def flops(window: int | None) -> float:
        built = model(
            **SIZES, **({"head_width": 8} if model is T5 else {}), attention=partial(Attention, window=window)
        )
        return model_flops(built, Sum(), tokens)

    outside = sum(abs(i - j) > 2 for length in (16, 8) for i in range(length) for j in range(length))
    assert flops(None) - flops(2) == BATCH * 3 * 12 * 32 * outside


class Sum(Objective):
    """The sum of all scores, as a loss."""

    def forward(self, model, batch):
        return Scores(model(batch["source"], batch["target"]).sum(), {})


@pytest.mark.parametrize("everywhere", [False, True])
def test_a_students_flops_are_its_own(vocabulary, everywhere):
    """Those of the same model with the same loss and no teacher; the teacher's forward pass is computed besides."""
    teacher, student = Bert(**SIZES), DistilBert(**SIZES | {"depth": 1})
    objective = TokenDistillation(vocabulary, LENGTH, task=MaskedTokens, everywhere=everywhere)
    objective.learn_from(teacher)
    keys = np.arange(BATCH, dtype=np.uint64)
    batch = objective.collate([{"tokens": np.full(LENGTH - 2, 9)} for _ in keys], keys, train=True)
    scored = BATCH * LENGTH if everywhere else len(batch["predict"])

    def forward(depth: int) -> int:
        block = BATCH * (LENGTH * (4 * 32 * 32 + 2 * 32 * 128) + 2 * 32 * LENGTH**2)
        return 2 * (depth * block + scored * (32 * 32 + 1000 * 32))

    assert model_flops(student, objective, batch) == 3 * forward(1)
    pooler = 2 * BATCH * (32 * 32 + 32 * 2)
    assert hardware_flops(student, objective, batch) == 3 * forward(1) + forward(3) + pooler
    assert objective.teacher is not None and objective.teacher.model is teacher


def test_shared_parameters_count_once():
    model = GPT(vocab_size=100, width=8, depth=1, heads=2, hidden=16, max_length=4)
    assert parameter_count(model) == sum(p.numel() for p in set(model.parameters()))


def test_the_peak_is_a_speed():
    assert 1e8 < peak_flops(torch.device("cpu"), torch.float32, size=256, seconds=0.05) < 1e14


def test_the_curves_become_a_picture(tmp_path):
    from PIL import Image

    rows = [(s, f"{split}/loss", 1.0 / s) for s in range(1, 30) for split in ("train", "val")]
    path = draw_curves([*rows, (1, "speed/tokens_per_second", 5.0)], tmp_path / "figures" / "curves.png")
    with Image.open(path) as image:
        assert image.width > 300
        assert len(image.convert("RGB").getcolors(10**6)) > 50
