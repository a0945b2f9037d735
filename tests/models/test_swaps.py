"""Every family with every part beside every other: built by the constructor, trained for one step."""

import itertools
import math

import pytest
import torch
from systems import FAMILIES, IMAGES, SCHEMES, SYSTEMS, TURNING
from torch import nn

from variformer import layers
from variformer.layers import ACTIVATIONS

NORMS = [nn.LayerNorm, nn.RMSNorm]
FEED_FORWARD = [layers.FeedForward, layers.GatedFeedForward]
BLOCKS = [layers.PreNormBlock, layers.PostNormBlock]

# Every second one of all combinations, 20 for each family and scheme: any three parts still meet.
COMBINATIONS = [
    (NORMS[norm], FEED_FORWARD[feed_forward], BLOCKS[block], activation)
    for norm, feed_forward, block in itertools.product(range(2), repeat=3)
    for number, activation in enumerate(ACTIVATIONS)
    if (norm + feed_forward + block + number) % 2 == 0
]


def has_no_gradient(name: str, positions: type) -> bool:
    """A bias of the keys adds the same to all scores of a query, which softmax ignores; unless keys turn."""
    return name.endswith("attention.key.bias") and positions not in TURNING


@pytest.mark.parametrize(("family", "positions"), list(itertools.product(FAMILIES, SCHEMES)))
def test_combinations_learn(tiny, loss_of, family, positions):
    for norm, feed_forward, block, activation in COMBINATIONS:
        model = tiny(
            family,
            positions=positions,
            norm=norm,
            feed_forward=feed_forward,
            block=block,
            activation=activation,
        )
        loss = loss_of(model)
        loss.backward()
        combination = (norm.__name__, feed_forward.__name__, block.__name__, activation)
        assert loss.isfinite(), combination
        named = dict(model.named_parameters())
        absent = [name for name, parameter in named.items() if parameter.grad is None]
        assert not absent, (absent, *combination)
        sizes = torch.stack([parameter.grad.norm(1) for parameter in named.values()]).tolist()
        for name, size in zip(named, sizes, strict=True):
            assert math.isfinite(size), (name, *combination)
            assert size > 0 or has_no_gradient(name, positions), (name, *combination)


@pytest.mark.parametrize(("family", "positions"), list(itertools.product(FAMILIES, SCHEMES)))
def test_half_precision(tiny, scores_of, family, positions):
    """Whole in bfloat16, and by autocast: finite, and what full precision says but for its 8 bits."""
    model = tiny(family, positions=positions).eval()
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.copy_(parameter.bfloat16())
        torch.manual_seed(1)
        expected = scores_of(model)
        torch.manual_seed(1)
        with torch.autocast("cpu", torch.bfloat16):
            mixed = scores_of(model)
    for ours, exact in zip(mixed, expected, strict=True):
        assert ours.isfinite().all()
        assert (ours - exact).abs().max() < 0.1 * exact.abs().max()
    if family not in IMAGES:
        with torch.no_grad():
            assert all(scores.isfinite().all() for scores in scores_of(model.bfloat16()))


@pytest.mark.parametrize("system", SYSTEMS)
def test_an_activation_is_used(tiny, scores_of, system):
    """Two models that differ in nothing but the activation predict differently."""
    outcomes = []
    for activation in ACTIVATIONS:
        torch.manual_seed(0)
        model = tiny(system, activation=activation).eval()
        outcomes.append(scores_of(model)[0])
    for one, other in itertools.combinations(outcomes, 2):
        assert not torch.equal(one, other)
