"""Which inputs a prediction depends on, measured by its gradient."""

from functools import partial

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from variformer import layers
from variformer.models import GPT, T5, Albert, Bart, Bert, DistilBert, Roberta

SIZES = dict(vocab_size=13, width=8, depth=2, heads=2, hidden=12, dropout=0.0)
DECODERS = {"gpt": GPT, "t5": partial(T5, head_width=4), "bart": Bart}
ENCODERS = [Bert, Roberta, DistilBert, partial(Albert, embedding_width=8)]
SCHEMES = [
    layers.Positions,
    layers.LearnedPositions,
    layers.CountedPositions,
    layers.SinusoidalPositions,
    layers.RotaryPositions,
    layers.RelativePositions,
    layers.LinearBiasPositions,
]


def causal_model(family: str, scheme: type, block: type) -> nn.Module:
    """A causal model that reads vectors instead of tokens, so that they have gradients."""
    model = DECODERS[family](**SIZES, max_length=12, positions=scheme, block=block)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.normal_(0.1, 0.5)
    model.decoder.embedding = nn.Identity()
    return model


def influence(family: str, model: nn.Module, inputs: torch.Tensor, position: int) -> torch.Tensor:
    """(T,): how strongly the prediction at a position depends on each of the inputs."""
    inputs = inputs.requires_grad_()
    scores = model(inputs) if family == "gpt" else model.decode(inputs, torch.randn(1, 3, 8))
    direction = torch.randn(scores.size(-1))
    (gradient,) = torch.autograd.grad(scores[0, position] @ direction, inputs)
    return gradient[0].norm(dim=-1)


@pytest.mark.parametrize("scheme", SCHEMES)
@pytest.mark.parametrize("family", DECODERS)
@settings(max_examples=8, deadline=None)
@given(data=st.data())
def test_nothing_comes_from_the_future(family, scheme, data):
    length = data.draw(st.integers(1, 12))
    position = data.draw(st.integers(0, length - 1))
    block = data.draw(st.sampled_from([layers.PreNormBlock, layers.ParallelBlock, layers.PostNormBlock]))
    torch.manual_seed(data.draw(st.integers(0, 99)))
    dependence = influence(family, causal_model(family, scheme, block), torch.randn(1, length, 8), position)
    assert not dependence[position + 1 :].any()
    assert dependence[: position + 1].all()


@pytest.mark.parametrize("scheme", SCHEMES)
@pytest.mark.parametrize("encoder", ENCODERS)
def test_an_encoder_sees_both_sides(encoder, scheme):
    torch.manual_seed(0)
    model = encoder(**SIZES, max_length=12, positions=scheme)
    states = torch.randn(1, 5, 8, requires_grad=True)
    model.encoder.embedding = FirstInput()
    (gradient,) = torch.autograd.grad(model(states).tokens[0, 2] @ torch.randn(13), states)
    assert gradient[0].norm(dim=-1).all()


class FirstInput(nn.Module):
    def forward(self, states, segments):
        return states


def test_without_positions_an_encoder_sees_a_bag_of_tokens():
    torch.manual_seed(0)
    tokens, order = torch.randint(13, (2, 9)), torch.randperm(9)
    for scheme in SCHEMES:
        model = Bert(**SIZES, max_length=12, positions=scheme).eval()
        for parameter in model.parameters():
            nn.init.normal_(parameter, 0.1, 0.5)
        moved, shuffled = model(tokens).tokens[:, order], model(tokens[:, order]).tokens
        difference = (moved - shuffled).abs().max() / moved.abs().max()
        assert (difference < 1e-5) == (scheme is layers.Positions), scheme.__name__
