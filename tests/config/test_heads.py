"""A head for a task in a key of its own, built on the model; and as one node, as earlier imports had it."""

import pytest
import torch
from omegaconf import OmegaConf

from variformer.config import ConfigError, build_model
from variformer.config.checking.compatibility import misfits
from variformer.config.heads import joined, parted
from variformer.models import Bert, SequenceClassifier, Tuned

BODY = {"_target_": "variformer.models.Bert", "vocab_size": 9, "max_length": 8}
BODY |= {"width": 8, "depth": 1, "heads": 2, "hidden": 16, "pair_classes": 0}
HEAD = {"_target_": "variformer.models.SequenceClassifier", "_partial_": True, "dropout": 0.3}
CAUSAL = {**BODY, "_target_": "variformer.models.GPT"}
del CAUSAL["pair_classes"]


def test_the_head_is_built_on_the_body():
    model = build_model({"model": BODY, "head": HEAD}, classes=3)
    assert isinstance(model, SequenceClassifier) and isinstance(model.body, Bert)
    assert model.head.scores.out_features == 3 and model.head.dropout.p == 0.3


@pytest.mark.parametrize("config", [{"model": BODY}, {"model": BODY, "head": None}])
def test_without_a_head_there_is_the_model_alone(config):
    assert isinstance(build_model(config), Bert)


def test_both_keys_and_the_one_node_are_the_same_model():
    config = {"model": BODY, "head": HEAD | {"classes": 3}}
    node = joined(**config)
    assert parted({"model": node}) == config
    assert joined(BODY, None) == BODY and parted({"model": BODY}) == {"model": BODY}
    torch.manual_seed(0)
    one = build_model({"model": node})
    torch.manual_seed(0)
    other = build_model(config)
    assert isinstance(one, Tuned) and one.state_dict().keys() == other.state_dict().keys()
    assert all(torch.equal(one.state_dict()[name], each) for name, each in other.state_dict().items())


def test_a_config_of_before_is_parted_in_place():
    saved = OmegaConf.create({"model": joined(BODY, HEAD | {"classes": 3}), "seed": 1})
    assert parted(saved) is saved
    assert OmegaConf.to_container(saved.model) == BODY
    assert OmegaConf.to_container(saved.head) == HEAD | {"classes": 3} and saved.seed == 1


def test_messages_name_the_head():
    with pytest.raises(ConfigError, match=r"^head: SequenceClassifier reads the first .* set head=last_token$"):
        build_model({"model": CAUSAL, "head": HEAD}, classes=3)
    with pytest.raises(ConfigError, match=r"^head.classes: missing, variformer.models.SequenceClassifier needs it"):
        build_model({"model": BODY, "head": HEAD})
    with pytest.raises(ConfigError, match=r"^model.width: "):
        build_model({"model": BODY | {"width": -1}, "head": HEAD}, classes=3)


def test_an_objective_of_the_body_does_not_train_a_head():
    objective = {"_target_": "variformer.objectives.masked_tokens.MaskedTokens", "_partial_": True}
    (line,) = misfits({"model": BODY, "head": HEAD, "objective": objective, "tokenizer": {}, "length": 8})
    assert line.startswith("head: SequenceClassifier is a sequence classifier, but MaskedTokens (objective) trains an")
    assert "choose head=none" in line
