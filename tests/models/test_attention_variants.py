"""Every family with every variant of attention, given as its configs give it."""

from functools import partial

import pytest
import systems
import torch
from systems import inputs_of
from torch import Tensor, nn

from variformer import layers
from variformer.layers import Attention, record_attention
from variformer.models import CausalLanguageModel
from variformer.weights.huggingface import config_of

FAMILIES = {
    name: partial(systems.small, name, heads=4, **({"image_size": 6} if name in systems.IMAGES else {}))
    for name in systems.FAMILIES
}
VARIANTS = {
    "grouped-query": partial(Attention, key_value_heads=2),
    "window": partial(Attention, window=2),
    "normed": partial(Attention, query_key_norm=nn.RMSNorm),
    "all": partial(Attention, key_value_heads=1, window=2, query_key_norm=nn.RMSNorm),
}
RELATIVE = systems.BY_DISTANCE
DECODERS = [name for name in FAMILIES if name in systems.CAUSAL + systems.READING_TWO]


@pytest.fixture(autouse=True)
def seed():
    torch.manual_seed(0)


def random_model(family: str, variant: str, **parts) -> nn.Module:
    return systems.drawn(FAMILIES[family](attention=VARIANTS[variant], **parts), 0.1, 0.4)


def scores_of(model: nn.Module, inputs: tuple[Tensor, ...]) -> list[Tensor]:
    return systems.scores_of(model(*inputs))


@pytest.mark.parametrize("variant", VARIANTS)
@pytest.mark.parametrize("family", FAMILIES)
def test_every_family_learns_with_every_variant(family, variant):
    for positions in [None, *RELATIVE]:
        model = random_model(family, variant, **({} if positions is None else {"positions": positions}))
        scores = scores_of(model, inputs_of(model, length=7))
        sum(each.logsumexp(-1).mean() - each[..., 0].mean() for each in scores).backward()
        for name, parameter in model.named_parameters():
            assert parameter.grad is not None and parameter.grad.isfinite().all(), (name, positions)
            assert parameter.grad.any() or "key" in name, (name, positions)  # softmax ignores what all scores share


@pytest.mark.parametrize("variant", VARIANTS)
@pytest.mark.parametrize("family", FAMILIES)
def test_the_recorded_maps_are_what_was_computed(family, variant):
    model = random_model(family, variant).eval()
    inputs = inputs_of(model, length=7)
    expected = scores_of(model, inputs)
    with record_attention(model) as maps:
        recorded = scores_of(model, inputs)
    for ours, theirs in zip(recorded, expected, strict=True):
        torch.testing.assert_close(ours, theirs, rtol=1e-3, atol=1e-4)
    for name, (weights, *_) in maps.items():
        assert weights.size(1) == model.get_submodule(name).heads
        torch.testing.assert_close(weights.sum(-1), torch.ones(weights.shape[:-1]))
        if model.get_submodule(name).window is not None and "cross" not in name:
            assert not weights.triu(3).any() and not weights.tril(-3).any() and weights.diagonal(2, -2, -1).size(-1)


@pytest.mark.parametrize("positions", [None, *RELATIVE])
@pytest.mark.parametrize("variant", VARIANTS)
@pytest.mark.parametrize("family", DECODERS)
def test_cached_equals_uncached(family, variant, positions):
    model = random_model(family, variant, **({} if positions is None else {"positions": positions})).eval()
    source, target = torch.randint(17, (2, 6)), torch.randint(17, (2, 11))
    mask = torch.arange(6) < torch.tensor([6, 3])[:, None]
    memory = None if isinstance(model, CausalLanguageModel) else model.encode(source, mask)
    read = partial(model) if memory is None else partial(model.decode, memory=memory, memory_mask=mask)
    expected = read(target)
    for steps in [1] * 11, [4, 1, 5, 1]:
        cache = model.decoder.new_cache()
        scores = torch.cat([read(part, cache=cache) for part in target.split(steps, 1)], 1)
        torch.testing.assert_close(scores, expected, rtol=0, atol=2e-5 * expected.abs().max().item())
        heads = VARIANTS[variant].keywords.get("key_value_heads", 4)
        assert all(block.self_attention.keys.size(1) == heads for block in cache.blocks)


@pytest.mark.parametrize("variant", VARIANTS)
@pytest.mark.parametrize("family", ["gpt", "bert"])
def test_padding_is_not_seen(family, variant):
    """On the right; on the left, what sees nothing at all must not be NaN."""
    model = random_model(family, variant, positions=layers.RotaryPositions).eval()
    tokens, lengths = torch.randint(17, (3, 9)), [9, 5, 1]
    right = torch.arange(9) < torch.tensor(lengths)[:, None]
    for mask in right, right.flip(1):
        scores = scores_of(model, (tokens, mask))[0]
        assert scores.isfinite().all()
        for row in range(3):
            alone = scores_of(model, (tokens[row, mask[row]][None],))[0]
            expected = alone[0].abs().max().item() * 2e-5
            torch.testing.assert_close(scores[row, mask[row]], alone[0], rtol=0, atol=expected)


@pytest.mark.parametrize(("family", "after"), [("gpt", 0), ("bert", 4)])
def test_a_window_is_as_wide_as_it_says(family, after):
    """Two layers of two positions each: four before, and in an encoder four after."""
    model = random_model(family, "window", positions=layers.RotaryPositions)
    half = model.decoder if family == "gpt" else model.encoder
    half.embedding = FirstInput()
    states = torch.randn(1, 11, 16, requires_grad=True)
    (gradient,) = torch.autograd.grad(half(states)[0, 5] @ torch.randn(16), states)
    seen = gradient[0].norm(dim=-1) > 0
    assert seen.nonzero().flatten().tolist() == list(range(1, 6 + after))


class FirstInput(nn.Module):
    def forward(self, states: Tensor, *others: Tensor) -> Tensor:
        return states


@pytest.mark.parametrize("family", FAMILIES)
def test_fewer_keys_have_fewer_parameters(family):
    count = lambda model: sum(parameter.numel() for parameter in model.parameters())  # noqa: E731
    whole, fewer = FAMILIES[family](), FAMILIES[family](attention=VARIANTS["grouped-query"])
    layers_of_attention = [m for m in whole.modules() if isinstance(m, Attention)]
    keys = [(sum(each.numel() for each in m.key.parameters()), m.heads) for m in layers_of_attention]
    saved = sum(2 * numbers * (heads - 2) // heads for numbers, heads in keys)  # of the keys and of the values
    assert count(whole) - count(fewer) == saved > 0


@pytest.mark.parametrize("variant", ["grouped-query", "window", "normed"])
@pytest.mark.parametrize("family", FAMILIES)
def test_an_export_says_what_their_model_cannot_do(family, variant):
    if (family, variant) == ("modern_bert", "window"):
        pytest.skip("a window is what theirs has")
    with pytest.raises(ValueError, match="attention"):
        config_of(FAMILIES[family](attention=VARIANTS[variant]))
