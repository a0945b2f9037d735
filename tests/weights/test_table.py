"""Edits: how tensors of theirs become ours, and back."""

import pytest
import torch

from variformer.layers import RotaryPositions, Sizes
from variformer.layers.positions import rotate
from variformer.weights.table import computed, turned_pairs

HEADS, WIDTH, LENGTH = 3, 8, 5


def turned_neighbours(x: torch.Tensor) -> torch.Tensor:
    """(H, T, W): the pair (2i, 2i + 1) of each position m times exp(i m theta_i), as in RoFormer and GPT-J."""
    angles = torch.arange(LENGTH)[:, None] * 10000 ** (-torch.arange(0, WIDTH, 2) / WIDTH)
    pairs = torch.view_as_complex(x.unflatten(-1, (-1, 2)).contiguous())
    return torch.view_as_real(pairs * torch.polar(torch.ones_like(angles), angles)).flatten(-2)


def test_pairs_that_turn_give_the_same_products():
    edit = turned_pairs(HEADS)
    theirs = [torch.randn(HEADS * WIDTH, 7), torch.randn(HEADS * WIDTH, 7)]
    x = torch.randn(LENGTH, 7)
    order = RotaryPositions(Sizes(24, HEADS, WIDTH, 9, causal=False))(LENGTH, 0, x.device)

    def heads(matrix: torch.Tensor) -> torch.Tensor:
        return (x @ matrix.T).unflatten(-1, (HEADS, WIDTH)).transpose(0, 1)

    query, key = (turned_neighbours(heads(each)) for each in theirs)
    ours = [rotate(heads(each)[None], order.rotation)[0] for each in edit.read(theirs)]
    torch.testing.assert_close(ours[0] @ ours[1].mT, query @ key.mT)


@pytest.mark.parametrize("shape", [(HEADS * WIDTH, 7), (HEADS * WIDTH,)])
def test_pairs_come_back_without_a_bit_lost(shape):
    edit, theirs = turned_pairs(HEADS), torch.randn(shape)
    assert torch.equal(edit.write(edit.read([theirs]))[0], theirs)
    assert not torch.equal(edit.read([theirs])[0], theirs)


def test_a_computed_tensor_is_refused_where_it_is_another():
    edit = computed("waves", torch.arange(6).float().sin())
    assert edit.read(edit.write([])) == []
    assert edit.read([edit.write([])[0].bfloat16()]) == []
    with pytest.raises(ValueError, match="waves holds other values"):
        edit.read([torch.zeros(6)])
