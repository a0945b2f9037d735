"""Adapters of low rank, in a small model of each family."""

import pytest
import systems
import torch
from systems import FAMILIES, IMAGES, small
from torch import nn

from variformer.layers import LowRank, LowRankLinear
from variformer.layers.low_rank import adapter_names, merge
from variformer.models import TokenClassifier


def drawn(family: str) -> nn.Module:
    torch.manual_seed(0)
    return systems.drawn(small(family), mean=0.0, std=0.1).eval()


def scores(model: nn.Module, inputs: tuple) -> list[torch.Tensor]:
    with torch.no_grad():
        return systems.scores_of(model(*inputs))


@pytest.mark.parametrize("family", FAMILIES)
def test_at_first_the_scores_are_those_of_the_body(family):
    model = drawn(family)
    inputs = systems.inputs_of(model)
    before, parameters = scores(model, inputs), dict(model.named_parameters())
    assert LowRank(rank=2).adapt(model)
    assert all(torch.equal(*pair) for pair in zip(before, scores(model, inputs), strict=True))
    assert all(dict(model.named_parameters())[name] is each for name, each in parameters.items())
    assert dict(model.named_parameters()).keys() - parameters.keys() == adapter_names(model)


@pytest.mark.parametrize("family", FAMILIES)
def test_merged_gives_the_same_scores(family):
    model = drawn(family)
    inputs, names = systems.inputs_of(model), list(model.state_dict())
    LowRank(rank=2, alpha=3.0).adapt(model)
    for module in model.modules():
        if isinstance(module, LowRankLinear):
            nn.init.normal_(module.up, std=0.1)
    unmerged = scores(model, inputs)
    assert not all(torch.equal(*pair) for pair in zip(unmerged, scores(drawn(family), inputs), strict=True))
    merged = merge(model)
    assert list(merged.state_dict()) == names and not any(isinstance(each, LowRankLinear) for each in merged.modules())
    for one, other in zip(unmerged, scores(merged, inputs), strict=True):
        torch.testing.assert_close(one, other, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("family", FAMILIES)
def test_adapters_learn_beside_frozen_matrices(family):
    model = drawn(family)
    LowRank(rank=2).adapt(model)
    for name, parameter in model.named_parameters():
        parameter.requires_grad_(name in adapter_names(model))
    sum(each.square().sum() for each in systems.scores_of(model(*systems.inputs_of(model)))).backward()
    gradients = {name: each.grad for name, each in model.named_parameters() if each.grad is not None}
    assert gradients.keys() == adapter_names(model)
    assert all(gradient.any() == name.endswith(".up") for name, gradient in gradients.items())  # up is zero at first


def test_the_sum_is_that_of_the_paper():
    layer, x = nn.Linear(6, 4), torch.randn(3, 6)
    adapted = LowRankLinear(layer, rank=2, alpha=8.0, dropout=0.0)
    nn.init.normal_(adapted.up)
    expected = x @ layer.weight.T + layer.bias + (8.0 / 2) * (x @ adapted.down.T) @ adapted.up.T
    torch.testing.assert_close(adapted(x), expected)
    assert adapted.down.abs().max() <= 6**-0.5  # uniform, as PyTorch draws a linear layer


def test_merging_is_computed_in_float32():
    layer = nn.Linear(8, 8, bias=False).to(torch.bfloat16)
    adapted = LowRankLinear(layer, rank=4, alpha=4.0, dropout=0.0)
    nn.init.normal_(adapted.up)
    expected = (layer.weight.float() + adapted.up.float() @ adapted.down.float()).to(torch.bfloat16)
    assert torch.equal(adapted.merged().weight, expected)


def test_dropout_is_that_of_the_adapter_alone():
    adapted = LowRankLinear(nn.Linear(6, 4), rank=2, alpha=8.0, dropout=0.9).train()
    x = torch.randn(3, 6)
    assert torch.equal(adapted(x), adapted.eval()(x))


def test_other_layers_may_be_named():
    model = TokenClassifier(small("bert"), 3)
    names = LowRank(rank=2, where=["body.*.blocks.1.feed_forward.*"]).adapt(model)
    assert names == [f"body.encoder.blocks.1.feed_forward.{each}" for each in ("widen", "narrow")]


def test_a_name_that_no_layer_has_is_refused():
    model = small("bert")
    with pytest.raises(ValueError, match=r'where\[1\]: "\*.querry" names no linear layer; nearest: .*query'):
        LowRank(where=["*_attention.query", "*.querry"]).adapt(model)
    assert not any(isinstance(each, LowRankLinear) for each in model.modules())


@pytest.mark.parametrize("family", ["gpt", "bert"])
def test_a_tied_matrix_is_refused(family):
    model = small(family)
    with pytest.raises(ValueError, match=r"scores shares its matrix with (de|en)coder.embedding.tokens"):
        LowRank(where=["*head.scores"] if family == "gpt" else ["token_head.scores"]).adapt(model)


def test_images_are_among_the_families():
    assert set(FAMILIES) & set(IMAGES)
