"""Which inputs a prediction depends on, measured by its gradient."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from systems import CAUSAL, FAMILIES, MASKED, READING_TWO, SCHEMES, SMALL, VOCABULARY, drawn, small
from torch import nn

from variformer import layers
from variformer.models import CausalLanguageModel

DECODERS = [family for family in FAMILIES if family in CAUSAL + READING_TWO]
ENCODERS = [family for family in FAMILIES if family in MASKED]
WIDTH = SMALL["width"]


def causal_model(family: str, scheme: type, block: type) -> nn.Module:
    """A causal model that reads vectors instead of tokens, so that they have gradients."""
    model = drawn(small(family, positions=scheme, block=block, dropout=0.0), 0.1, 0.5)
    model.decoder.embedding = nn.Identity()
    return model


def influence(model: nn.Module, inputs: torch.Tensor, position: int) -> torch.Tensor:
    """(T,): how strongly the prediction at a position depends on each of the inputs."""
    inputs = inputs.requires_grad_()
    alone = isinstance(model, CausalLanguageModel)
    scores = model(inputs) if alone else model.decode(inputs, torch.randn(1, 3, WIDTH))
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
    dependence = influence(causal_model(family, scheme, block), torch.randn(1, length, WIDTH), position)
    assert not dependence[position + 1 :].any()
    assert dependence[: position + 1].all()


@pytest.mark.parametrize("scheme", SCHEMES)
@pytest.mark.parametrize("encoder", ENCODERS)
def test_an_encoder_sees_both_sides(encoder, scheme):
    torch.manual_seed(0)
    model = small(encoder, positions=scheme, dropout=0.0)
    states = torch.randn(1, 5, model.encoder.embedding.tokens.embedding_dim, requires_grad=True)
    model.encoder.embedding = FirstInput()
    (gradient,) = torch.autograd.grad(model(states).tokens[0, 2] @ torch.randn(VOCABULARY), states)
    assert gradient[0].norm(dim=-1).all()


class FirstInput(nn.Module):
    def forward(self, states, segments=None):
        return states


def test_without_positions_an_encoder_sees_a_bag_of_tokens():
    torch.manual_seed(0)
    tokens, order = torch.randint(VOCABULARY, (2, 9)), torch.randperm(9)
    for scheme in SCHEMES:
        model = drawn(small("bert", positions=scheme), 0.1, 0.5).eval()
        moved, shuffled = model(tokens).tokens[:, order], model(tokens[:, order]).tokens
        difference = (moved - shuffled).abs().max() / moved.abs().max()
        assert (difference < 1e-5) == (scheme is layers.Positions), scheme.__name__
