"""What differs from block to block in ModernBERT, against its paper (Warner et al., 2024, section 2.1)."""

import pytest
import torch
from torch import nn

from variformer.layers import Attention, PostNormBlock, PreNormBlock, RotaryPositions
from variformer.models import ModernBert

SIZES = dict(vocab_size=17, width=12, depth=7, heads=2, hidden=10)


def test_each_third_block_attends_to_everything():
    windows = [block.self_attention.window for block in ModernBert(**SIZES).encoder.blocks]
    assert windows == [None, 64, 64, None, 64, 64, None]


def test_the_first_block_alone_has_no_norm_before_its_attention():
    first, *others = ModernBert(**SIZES).encoder.blocks
    assert isinstance(first.self_norm, nn.Identity)
    assert all(isinstance(block.self_norm, nn.LayerNorm) for block in others)
    assert isinstance(ModernBert(**SIZES, block=PostNormBlock).encoder.blocks[0].self_norm, nn.LayerNorm)


def test_nothing_has_a_bias_but_the_scores_of_tokens():
    assert [name for name, _ in ModernBert(**SIZES).named_parameters() if "bias" in name] == ["token_head.scores.bias"]


@pytest.mark.parametrize("positions", [None, RotaryPositions])
def test_blocks_turn_by_the_base_of_their_kind(positions):
    """Local ones by 10,000, global ones by 160,000; all by one where a scheme has one."""
    model = ModernBert(**SIZES, **({} if positions is None else {"positions": positions}))
    seen: list[torch.Tensor] = []
    for block in model.encoder.blocks:
        block.self_attention.register_forward_pre_hook(
            lambda _, inputs, named: seen.append(named["rotation"]), with_kwargs=True
        )
    model(torch.randint(17, (1, 9)))
    far = torch.stack([rotation[:, -1] for rotation in seen])
    is_global = torch.tensor([True, False, False, True, False, False, True])
    assert (far[is_global] == far[0]).all()
    assert (far[~is_global] == far[1]).all()
    assert torch.equal(far[0], far[1]) == (positions is RotaryPositions)


def test_without_a_window_every_block_attends_to_everything():
    model = ModernBert(**SIZES, attention=Attention, block=PreNormBlock)
    assert {block.self_attention.window for block in model.encoder.blocks} == {None}
