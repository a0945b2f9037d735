"""An encoder and a decoder of different depth: all that counts layers counts those that are there."""

from types import SimpleNamespace

import pytest
import torch
import torch.nn.functional as F

from variformer.analysis.cost import model_flops, parameter_count
from variformer.config import instantiate
from variformer.exchange.describing import sizes
from variformer.models import T5, Bart

SIZES = dict(vocab_size=13, width=16, heads=4, hidden=12, max_length=20)


def objective(model, batch):
    scores = model(batch["tokens"], batch["tokens"])
    return SimpleNamespace(loss=F.cross_entropy(scores.flatten(0, 1), batch["tokens"].flatten()))


@pytest.mark.parametrize("model", [T5, Bart])
def test_costs_are_those_of_the_layers_that_are_there(model):
    batch = {"tokens": torch.zeros(2, 7, dtype=torch.long)}
    built = {(e, d): model(**SIZES, depth=e, decoder_depth=d) for e, d in [(1, 1), (3, 1), (1, 3), (3, 3)]}
    for cost in (parameter_count, lambda each: model_flops(each, objective, batch)):
        costs = {depths: cost(each) for depths, each in built.items()}
        encoder, decoder = costs[3, 1] - costs[1, 1], costs[1, 3] - costs[1, 1]
        assert 0 < encoder < decoder  # a decoder's layer has cross-attention besides
        assert costs[3, 3] == costs[1, 1] + encoder + decoder


@pytest.mark.parametrize("model", [T5, Bart])
def test_without_a_depth_of_its_own_the_decoder_is_as_deep(model):
    built = model(**SIZES, depth=3)
    assert (built.encoder.depth, built.decoder.depth) == (3, 3)


@pytest.mark.parametrize("family", ["t5", "bart"])
def test_the_config_has_two_depths(family, composed):
    config = composed(f"experiment={family}", "model.decoder_depth=1", "model.depth=2")
    built = instantiate(config["model"], "model")
    assert sizes(built.encoder).startswith("2 layers") and sizes(built.decoder).startswith("1 layers")
