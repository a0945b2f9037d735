"""Parts that differ by layer, said in a config, in a decoder, an encoder and an encoder-decoder."""

from functools import partial
from pathlib import Path

import pytest
import torch
from hydra import compose, initialize_config_dir
from omegaconf import OmegaConf
from torch import nn

from variformer.config import instantiate, register_resolvers
from variformer.layers import Attention, DepthScaledNorm, EveryNth, GatedFeedForward, UnturnedAttention, of_layer, stack
from variformer.layers.block import ParallelBlock, PreNormBlock
from variformer.weights.destination import destination

CONF = Path(__file__).parents[2] / "conf"
TINY = [f"model.{name}" for name in ("width=16", "depth=5", "heads=2", "hidden=24", "vocab_size=31", "max_length=24")]
SYSTEMS = ["gpt", "bert", "t5"]


def model_of(system: str, *overrides: str) -> nn.Module:
    register_resolvers()
    torch.manual_seed(0)
    with initialize_config_dir(str(CONF), version_base="1.3"):
        config = compose("train", [f"experiment={system}", *TINY, *overrides])
    model = instantiate(OmegaConf.to_container(config.model, resolve=True), "model").eval()
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.normal_(0.2, 0.4)
    return model


def halves(model: nn.Module) -> list[nn.Module]:
    return [getattr(model, name) for name in ("encoder", "decoder") if hasattr(model, name)]


def scores_of(model: nn.Module, tokens: torch.Tensor) -> torch.Tensor:
    found = model(tokens, tokens) if hasattr(model, "decode") else model(tokens)
    return found if isinstance(found, torch.Tensor) else found.tokens


@pytest.mark.parametrize("system", SYSTEMS)
def test_windows_alternate(system):
    model = model_of(system, "model/attention=alternating", "model.attention.others.window=2")
    for half in halves(model):
        assert [block.self_attention.window for block in half.blocks] == [None, 2, 2, None, 2]
    assert scores_of(model, torch.randint(31, (2, 9))).isfinite().all()


@pytest.mark.parametrize("system", SYSTEMS)
def test_two_rotary_bases_turn_local_and_global_layers(system):
    local = ["model/attention=alternating", "model.attention.others.window=2", "model/positions=local_rotary"]
    model = model_of(system, *local)
    seen: list[torch.Tensor] = []
    for half in halves(model):
        for block in half.blocks:
            hook = lambda _, inputs, named: seen.append(named["rotation"][:, -1])  # noqa: E731
            block.self_attention.register_forward_pre_hook(hook, with_kwargs=True)
    scores_of(model, torch.randint(31, (1, 9)))
    wide, near = seen[0], seen[1]
    assert not torch.equal(wide, near)
    for number, found in enumerate(seen):
        assert torch.equal(found, near if number % 5 % 3 else wide), number


@pytest.mark.parametrize("system", SYSTEMS)
def test_a_layer_without_positions_cannot_tell_the_order(system):
    """With a single layer, that the last token reads, the order of the others is lost where it does not turn."""
    tokens = torch.randint(31, (1, 7))
    other = tokens.clone()
    other[0, :6] = other[0, torch.tensor([3, 1, 0, 5, 4, 2])]
    for part, loses in (("fourth_unturned", True), ("plain", False)):
        model = model_of(system, f"model/attention={part}", "model/positions=rotary", "model.depth=1")
        half = halves(model)[0]
        one, two = half(tokens)[:, -1], half(other)[:, -1]
        assert torch.allclose(one, two, atol=1e-5) == loses, part
    blocks = halves(model_of(system, "model/attention=fourth_unturned", "model/positions=rotary"))[-1].blocks
    assert [type(block.self_attention) is UnturnedAttention for block in blocks] == [True, False, False, False, True]


@pytest.mark.parametrize("system", SYSTEMS)
def test_norms_shrink_with_depth(system):
    scaled, plain = model_of(system, "model/norm=depth_scaled"), model_of(system, "model/norm=layer")
    x = torch.randn(2, 3, 16)
    for ours, theirs in zip(halves(scaled), halves(plain), strict=True):
        for number, (block, other) in enumerate(zip(ours.blocks, theirs.blocks, strict=True), start=1):
            for name in ("self_norm", "feed_forward_norm"):
                expected = getattr(other, name)(x) / number**0.5
                torch.testing.assert_close(getattr(block, name)(x), expected)
    assert not torch.equal(scores_of(scaled, x[..., 0].long().abs()), scores_of(plain, x[..., 0].long().abs()))


def test_blocks_and_feed_forward_layers_differ_too():
    block = EveryNth(2, part=ParallelBlock, others=PreNormBlock)
    gated = EveryNth(3, part=partial(GatedFeedForward, bias=False), others=GatedFeedForward)
    blocks = stack(
        5,
        8,
        block=block,
        self_attention=partial(Attention, 8, 2),
        feed_forward=partial(gated, 8, 12, activation="gelu"),
        norm=nn.LayerNorm,
    )
    assert [type(each) for each in blocks] == [ParallelBlock, PreNormBlock] * 2 + [ParallelBlock]
    assert [each.feed_forward.widen.bias is None for each in blocks] == [True, False, False, True, False]


def test_parts_that_differ_can_be_nested():
    inner = EveryNth(2, part=nn.LayerNorm, others=nn.RMSNorm)
    outer = EveryNth(3, part=nn.Identity, others=partial(inner, eps=0.5))
    kinds = [type(of_layer(outer, number)(4)) for number in range(6)]
    assert kinds == [nn.Identity, nn.RMSNorm, nn.LayerNorm, nn.Identity, nn.LayerNorm, nn.RMSNorm]
    assert of_layer(outer, 1)(4).eps == 0.5


def test_a_part_is_none_before_its_layer_is_known():
    with pytest.raises(TypeError, match=r"EveryNth differs by layer: `layers\.of_layer"):
        EveryNth(2, part=Attention, others=Attention)(8, 2)
    assert isinstance(DepthScaledNorm()(8), nn.LayerNorm)  # outside of blocks


@pytest.mark.parametrize("part", ["model/attention=fourth_unturned", "model/norm=depth_scaled"])
def test_an_export_names_what_differs_by_layer(part):
    named = {"attention": "UnturnedAttention", "norm": "Sequential"}
    said = destination(model_of("gpt", part)).because
    assert named[part[6:].partition("=")[0]] in said
