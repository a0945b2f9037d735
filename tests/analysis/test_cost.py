from functools import partial

import pytest
import torch

from variformer.analysis.cost import parameter_count, peak_flops, training_flops
from variformer.analysis.figures import draw_curves
from variformer.layers import Attention
from variformer.models import GPT
from variformer.objectives.next_token import NextToken


@pytest.mark.parametrize(("key_value_heads", "window"), [(4, None), (2, None), (1, None), (2, 3)])
def test_flops_are_those_of_the_formula(vocabulary, key_value_heads, window):
    """6 N per token and attention's 12 L T D (Chowdhery et al., 2022, appendix B); masks are not discounted.

    Fewer heads of keys and values have smaller matrices, and as many products with the queries.
    """
    depth, width, hidden, vocab, batch, length = 3, 32, 128, 1000, 2, 16
    attention = partial(Attention, key_value_heads=key_value_heads, window=window)
    sizes = dict(vocab_size=vocab, width=width, depth=depth, heads=4, hidden=hidden, max_length=length, dropout=0.0)
    model = GPT(**sizes, attention=attention)
    tokens = torch.randint(vocab, (batch, length))
    counted = training_flops(model, NextToken(vocabulary, length), {"tokens": tokens, "targets": tokens})
    share = key_value_heads / 4
    matrices = depth * ((2 + 2 * share) * width * width + 2 * width * hidden) + vocab * width
    expected = batch * length * (6 * matrices + 12 * depth * length * width)
    assert abs(counted / expected - 1) < 0.03
    assert next(model.parameters()).device.type == "cpu"


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
