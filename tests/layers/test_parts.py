"""Embeddings, feed-forward layers, blocks and heads against the equations of their papers."""

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from variformer.layers import (
    ACTIVATIONS,
    Attention,
    FeedForward,
    GatedFeedForward,
    ParallelBlock,
    PatchEmbedding,
    PooledHead,
    PostNormBlock,
    PreNormBlock,
    TokenEmbedding,
    TokenHead,
)
from variformer.layers.block import Context

FUNCTIONS = {
    "relu": F.relu,
    "relu_squared": lambda x: F.relu(x) ** 2,
    "gelu": lambda x: x * torch.special.ndtr(x),
    "gelu_tanh": lambda x: 0.5 * x * (1 + torch.tanh((2 / torch.pi) ** 0.5 * (x + 0.044715 * x**3))),
    "silu": lambda x: x * torch.sigmoid(x),
}


@pytest.mark.parametrize("name", ACTIVATIONS)
def test_feed_forward(name):
    x = torch.randn(2, 3, 6)
    plain, gated = FeedForward(6, 9, activation=name), GatedFeedForward(6, 9, activation=name)
    torch.testing.assert_close(plain(x), plain.narrow(FUNCTIONS[name](plain.widen(x))))
    torch.testing.assert_close(gated(x), gated.narrow(FUNCTIONS[name](gated.gate(x)) * gated.widen(x)))


@pytest.mark.parametrize("block", [PreNormBlock, PostNormBlock])
def test_blocks(block):
    x, memory = torch.randn(2, 5, 8), torch.randn(2, 3, 8)
    parts = dict(self_attention=Attention(8, 2), feed_forward=FeedForward(8, 9, activation="gelu"))
    layer = block(8, **parts, cross_attention=Attention(8, 2), norm=nn.LayerNorm)
    for norm in layer.self_norm, layer.cross_norm, layer.feed_forward_norm:
        nn.init.normal_(norm.weight)  # so that the order of norms counts
    sublayers = [
        (layer.self_norm, layer.self_attention),
        (layer.cross_norm, lambda y: layer.cross_attention(y, memory)),
        (layer.feed_forward_norm, layer.feed_forward),
    ]
    y = x
    for norm, function in sublayers:
        y = y + function(norm(y)) if block is PreNormBlock else norm(y + function(y))
    torch.testing.assert_close(layer(x, Context(memory=memory)), y)


def test_a_parallel_block():
    """Black et al., 2022, section 2.1: x + attention(norm(x)) + feed_forward(norm(x)), each norm its own."""
    x, memory = torch.randn(2, 5, 8), torch.randn(2, 3, 8)
    parts = dict(self_attention=Attention(8, 2), feed_forward=FeedForward(8, 9, activation="gelu"))
    layer = ParallelBlock(8, **parts, cross_attention=Attention(8, 2), norm=nn.LayerNorm)
    for norm in layer.self_norm, layer.cross_norm, layer.feed_forward_norm:
        nn.init.normal_(norm.weight)
    expected = x + layer.self_attention(layer.self_norm(x)) + layer.feed_forward(layer.feed_forward_norm(x))
    read = expected + layer.cross_attention(layer.cross_norm(x), memory)
    torch.testing.assert_close(layer(x, Context(memory=memory)), read)
    layer.cross_attention = None
    torch.testing.assert_close(layer(x, Context()), expected)


def test_token_embedding():
    embedding, tokens = TokenEmbedding(9, 4, segments=2), torch.tensor([[3, 8, 0]])
    first, second = embedding.segments.weight
    assert torch.equal(embedding(tokens), embedding.tokens.weight[tokens] + first)
    mixed = embedding(tokens, torch.tensor([[0, 1, 1]]))
    assert torch.equal(mixed[0, 1], embedding.tokens.weight[8] + second)


def test_patch_embedding():
    """Each patch, row by row, through one matrix; the learned tokens stand first."""
    embedding = PatchEmbedding(6, 3, 5, channels=2, specials=2)
    nn.init.normal_(embedding.specials)
    images = torch.randn(4, 2, 6, 6)
    out = embedding(images)
    assert out.shape == (4, 6, 5) and embedding.length == 6
    assert torch.equal(out[:, :2], embedding.specials.expand(4, 2, 5))
    matrix = embedding.patches.weight.flatten(1)
    for number, (row, column) in enumerate([(0, 0), (0, 3), (3, 0), (3, 3)]):
        patch = images[:, :, row : row + 3, column : column + 3].flatten(1)
        torch.testing.assert_close(out[:, 2 + number], patch @ matrix.t() + embedding.patches.bias)


def test_images_that_do_not_fit():
    with pytest.raises(ValueError, match=r"patches of 4 pixels do not divide images of 6 \(model.patch_size\)"):
        PatchEmbedding(6, 4, 5)
    embedding = PatchEmbedding(6, 3, 5)
    for shape in (1, 1, 6, 6), (1, 3, 9, 9), (1, 3, 6, 9):
        with pytest.raises(ValueError, match=r"but the model reads \(3, 6, 6\)"):
            embedding(torch.zeros(shape))


def test_token_head():
    embedding, x = nn.Embedding(7, 4), torch.randn(2, 3, 4)
    tied = TokenHead(4, 7, tied_to=embedding, transform=nn.Tanh(), scale=0.5)
    assert tied.scores.weight is embedding.weight
    torch.testing.assert_close(tied(x), x.tanh() * 0.5 @ embedding.weight.t())
    assert TokenHead(4, 7).scores.weight is not embedding.weight


def test_pooled_head():
    x = torch.randn(2, 4)
    tanh, relu = PooledHead(4, 3), PooledHead(4, 3, activation=nn.ReLU, dropout=0.5).eval()
    torch.testing.assert_close(tanh(x), tanh.scores(tanh.pool(x).tanh()))
    torch.testing.assert_close(relu(x), relu.scores(relu.pool(x).relu()))
