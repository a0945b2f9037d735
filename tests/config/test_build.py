"""Nodes become objects, and nothing but allowed code runs on the way."""

import functools

import pytest
from omegaconf import OmegaConf

from variformer.config import ConfigError, instantiate

LINEAR = {"_target_": "torch.nn.Linear", "in_features": 4, "out_features": 2}


def test_a_node_is_built_with_its_parts():
    norm = {"_target_": "torch.nn.RMSNorm", "_partial_": True, "eps": 0.5}
    rotary = {"_target_": "variformer.layers.RotaryPositions", "_partial_": True}
    sizes = {"vocab_size": 11, "width": 8, "heads": 2, "depth": 1, "hidden": 16, "max_length": 8}
    model = instantiate({"_target_": "variformer.models.GPT", **sizes, "norm": norm, "positions": rotary})
    assert type(model).__name__ == "GPT"
    assert type(model.decoder.positions).__name__ == "RotaryPositions"
    assert type(model.decoder.final_norm).__name__ == "RMSNorm"
    assert model.decoder.final_norm.eps == 0.5


def test_none_stays_none():
    assert instantiate(None) is None


def test_a_partial_waits_for_the_rest():
    make = instantiate({**LINEAR, "_partial_": True}, bias=False)
    assert isinstance(make, functools.partial)
    assert make(in_features=3).in_features == 3
    assert make().bias is None


def test_arguments_from_code_arrive_as_they_are():
    parts = [object(), {"a": object()}]
    make = instantiate({"_target_": "torch.nn.Identity", "_partial_": True}, anything=parts)
    assert make.keywords["anything"] is parts


def test_a_config_of_omegaconf_is_resolved_and_arrives_plain():
    sgd = {"_target_": "torch.optim.SGD", "_partial_": True, "lr": "${rate}"}
    config = OmegaConf.create({"rate": 0.5, "optimizer": sgd})
    assert instantiate(config.optimizer, "optimizer").keywords == {"lr": 0.5}
    source = {"_target_": "torchvision.transforms.v2.Resize", "size": [8, 8]}
    assert type(instantiate(OmegaConf.create(source)).size) is list


@pytest.mark.parametrize(
    ("node", "message"),
    [
        ({**LINEAR, "in_featres": 3}, "model.in_featres: unknown argument of torch.nn.Linear"),
        ({"_target_": "torch.nn.Linear", "in_features": 3}, "model.out_features: missing"),
        ({"in_features": 3}, "model: needs a `_target_`"),
        ("gpt", "model: needs a `_target_`"),
        ({"_target_": "os.getcwd"}, "model._target_: `os.getcwd` is not allowed"),
        (
            {"_target_": "torch.nn.Identity", "x": [{"_target_": "os.getcwd"}]},
            r"model.x\[0\]._target_: `os.getcwd`",
        ),
    ],
)
def test_mistakes_carry_the_full_key(node, message):
    with pytest.raises((ConfigError, ValueError), match=message):
        instantiate(node, "model")


def test_interpolations_cannot_smuggle_a_target_in():
    """A string that Hydra would resolve on its own, after the check: oc.create makes a node of it."""
    smuggled = r"\${oc.create:{_target_:builtins.print,_args_:[smuggled]}}"
    for node in ({**LINEAR, "bias": smuggled}, {"_target_": "torch.nn.Identity", "x": {"y": [smuggled]}}):
        with pytest.raises(ConfigError, match="interpolation that was not resolved"):
            instantiate(node, "model")
    unescaped = {"_target_": "torch.nn.Identity", "x": smuggled[1:]}
    with pytest.raises(ConfigError, match=r"model.x._target_: `builtins.print` is not allowed"):
        instantiate(unescaped, "model")


def test_what_a_constructor_refuses_names_the_key_and_the_cause():
    rotary = {"_target_": "variformer.layers.RotaryPositions", "_partial_": True}
    node = {"_target_": "variformer.models.GPT", "width": 6, "heads": 2, "positions": rotary}
    with pytest.raises(ConfigError, match=r"^model: rotary positions turn pairs") as caught:
        instantiate(node, "model")
    assert isinstance(caught.value.__cause__, ValueError)


def test_a_nested_constructors_refusal_names_the_nested_key():
    pad = {"_target_": "torchvision.transforms.v2.RandomHorizontalFlip", "p": 2.0}
    node = {"_target_": "torchvision.transforms.v2.Compose", "transforms": [pad]}
    with pytest.raises(ConfigError, match=r"^data\.transforms") as caught:
        instantiate(node, "data")
    assert isinstance(caught.value.__cause__, ValueError)
