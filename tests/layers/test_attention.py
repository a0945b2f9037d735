import pytest
import torch
from torch import nn

from variformer.layers import Attention, RotaryPositions, Sizes, record_attention
from variformer.layers.attention import fused_attention
from variformer.models import GPT, T5, Bert

SIZES = dict(vocab_size=13, width=16, depth=2, heads=4, hidden=12)


def by_hand(attention: Attention, x, source, mask, scale):
    """Vaswani et al., 2017, equation 1, head by head."""
    width = attention.query.out_features // attention.heads
    queries, keys, values = attention.query(x), attention.key(source), attention.value(source)
    heads = []
    for head in range(attention.heads):
        part = slice(head * width, (head + 1) * width)
        scores = queries[..., part] @ keys[..., part].mT * scale
        weights = scores.masked_fill(~mask, -torch.inf).softmax(-1)
        heads.append(weights @ values[..., part])
    return attention.output(torch.cat(heads, -1))


@pytest.mark.parametrize(("changes", "scale"), [({}, 3**-0.5), ({"head_width": 5, "bias": False, "scale": 1.0}, 1.0)])
def test_the_formula(changes, scale):
    attention = Attention(12, 4, **changes)
    x, source = torch.randn(2, 5, 12), torch.randn(2, 7, 12)
    everything = torch.ones(5, 7, dtype=torch.bool)
    torch.testing.assert_close(attention(x, source), by_hand(attention, x, source, everything, scale))
    past = torch.ones(5, 5, dtype=torch.bool).tril()
    torch.testing.assert_close(attention(x, causal=True), by_hand(attention, x, x, past, scale))
    some = torch.rand(2, 5, 5) < 0.7
    some |= torch.eye(5, dtype=torch.bool)
    torch.testing.assert_close(attention(x, mask=some[:, None]), by_hand(attention, x, x, some, scale))


def test_a_float_mask_is_added_to_the_scores():
    attention, x = Attention(12, 4), torch.randn(2, 5, 12)
    allowed = torch.ones(5, 5, dtype=torch.bool).tril()
    added = torch.zeros(5, 5).masked_fill(~allowed, -torch.inf)
    torch.testing.assert_close(attention(x, mask=added), attention(x, mask=allowed))


def test_dropout_is_for_training_alone():
    attention, x = Attention(12, 4, dropout=0.5), torch.randn(2, 5, 12)
    assert not torch.equal(attention(x), attention(x))
    attention.eval()
    assert torch.equal(attention(x), attention(x))


def test_heads_that_do_not_divide_the_width():
    with pytest.raises(ValueError, match=r"5 heads do not divide a width of 12 \(model.heads, model.width\)"):
        Attention(12, 5)
    assert Attention(12, 5, head_width=2).query.out_features == 10


def models():
    tokens, mask = torch.randint(13, (3, 7)), torch.arange(7) < torch.tensor([7, 4, 1])[:, None]
    rotary = GPT(**SIZES, max_length=7, positions=RotaryPositions)
    yield GPT(**SIZES, max_length=7), (tokens,), 2
    yield rotary, (tokens, mask), 2
    yield Bert(**SIZES, max_length=7), (tokens, mask), 2
    yield T5(**SIZES, max_length=7), (tokens, tokens, mask, mask), 6  # 2 in the encoder, 2 + 2 in the decoder


@pytest.mark.parametrize("number", range(4))
def test_recorded_equals_fused(number):
    model, inputs, layers = list(models())[number]
    for parameter in model.eval().parameters():
        nn.init.normal_(parameter, 0.0, 0.4)
    expected = model(*inputs)
    with record_attention(model) as maps:
        recorded = model(*inputs)
    for ours, theirs in zip(tensors(recorded), tensors(expected), strict=True):
        torch.testing.assert_close(ours, theirs, rtol=1e-4, atol=1e-5)
    assert len(maps) == layers
    for name, (weights,) in maps.items():
        assert weights.shape == (3, 4, 7, 7)
        torch.testing.assert_close(weights.sum(-1), torch.ones(3, 4, 7))
        if len(inputs) > 1:
            assert not weights[1, :, :, 4:].any(), name
        if name.startswith("decoder") and "self_attention" in name:
            assert not weights.triu(1).any(), name


def tensors(result):
    return result if isinstance(result, tuple) else [result]


def test_recording_ends_with_its_context():
    model = GPT(**SIZES, max_length=7).eval()
    tokens = torch.randint(13, (1, 3))
    with pytest.raises(ValueError, match="learned 7"), record_attention(model) as maps:
        model(tokens)
        model(tokens)
        model(torch.zeros(1, 8, dtype=torch.long))
    assert [len(seen) for seen in maps.values()] == [2, 2]
    model(tokens)
    assert [len(seen) for seen in maps.values()] == [2, 2]
    assert all(m.kernel is fused_attention for m in model.modules() if isinstance(m, Attention))


def test_what_sees_nothing_is_zero_in_both_kernels():
    """Rows of padding on the left of a causal model."""
    model = GPT(**SIZES, max_length=7).eval()
    tokens, mask = torch.randint(13, (1, 5)), torch.tensor([[False, False, True, True, True]])
    with record_attention(model):
        recorded = model(tokens, mask)
    assert recorded.isfinite().all()
    torch.testing.assert_close(recorded, model(tokens, mask))


def test_rotation_turns_queries_and_keys_alike():
    """With it, scores depend on distances: a shift of all positions changes nothing."""
    attention, x = Attention(12, 2), torch.randn(2, 5, 12)
    positions = RotaryPositions(Sizes(12, 2, 6, 99, causal=False))
    device = torch.device("cpu")
    here, there = (attention(x, rotation=positions(5, start, device).rotation) for start in (0, 31))
    torch.testing.assert_close(here, there, rtol=1e-4, atol=1e-5)
    assert not torch.allclose(here, attention(x), atol=1e-3)
