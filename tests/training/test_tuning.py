"""What is frozen, and the learning rate of each part, in a small model of each family."""

import re
from functools import partial

import pytest
import systems
import torch
from systems import FAMILIES, IMAGES, small

from variformer.layers import LowRank
from variformer.models import Bert, LastTokenClassifier, Tuned
from variformer.training.module import Training
from variformer.training.optimizer import AdamW, Muon, decay_groups
from variformer.training.tuning import freeze, is_body, nearest, parameter_groups


def tuned(family: str) -> torch.nn.Module:
    """A model of images has a head of its own; one of texts gets one that reads any body."""
    torch.manual_seed(0)
    return small(family) if family in IMAGES else LastTokenClassifier(small(family), 3)


def scale_of(model: torch.nn.Module, **settings: float) -> dict[str, float]:
    names = {id(parameter): name for name, parameter in model.named_parameters()}
    groups = parameter_groups(model, **settings)
    return {names[id(each)]: group["scale"] for group in groups for each in group["params"]}


def step(model: torch.nn.Module) -> torch.Tensor:
    """One step of an optimizer that would also decay what has no gradient."""
    inputs = (torch.randint(systems.VOCABULARY, (2, 6)),) if isinstance(model, Tuned) else systems.inputs_of(model)
    optimizer = AdamW(parameter_groups(model), lr=0.1, weight_decay=0.5)
    loss = sum((each - 1).square().sum() for each in systems.scores_of(model.train()(*inputs)))
    loss.backward()
    optimizer.step()
    return loss


@pytest.mark.parametrize("family", FAMILIES)
def test_full_tuning_has_the_groups_of_pre_training(family):
    model = tuned(family)
    ours, theirs = parameter_groups(model), decay_groups(model)
    assert [group.keys() for group in ours] == [group.keys() for group in theirs]
    for one, other in zip(ours, theirs, strict=True):
        assert one["name"] == other["name"] and list(map(id, one["params"])) == list(map(id, other["params"]))


@pytest.mark.parametrize("family", FAMILIES)
def test_a_layer_below_another_learns_slower(family):
    model = tuned(family)
    scales = scale_of(model, layer_decay=0.5, head_lr=3.0)
    assert scales.keys() == dict(model.named_parameters()).keys()
    for name, scale in scales.items():
        if not is_body(name, model):
            assert scale == 3.0
        elif ".blocks." in name:
            transformer, _, rest = name.partition(".blocks.")
            depth = len(model.get_submodule(f"{transformer}.blocks"))
            assert scale == 0.5 ** (depth - int(rest.partition(".")[0]))
        elif part := re.match(r"(.*)\.(embedding|positions|entry)\.", name):
            assert scale == 0.5 ** (len(model.get_submodule(f"{part[1]}.blocks")) + 1)
        else:
            assert scale == 1.0


def test_the_scale_multiplies_the_optimizer_s_own_rate():
    model = tuned("bert")
    for kind, rate in ((partial(AdamW, lr=0.1), 0.1), (partial(Muon, lr=0.2, adamw_lr=0.3), 0.2)):
        groups = partial(parameter_groups, layer_decay=0.5)
        module = Training(model, torch.nn.Module(), kind, parameter_groups=groups)  # type: ignore[arg-type]
        found = module.new_optimizer(model).param_groups
        hidden = [group for group in found if group["name"] == "hidden matrices"]
        assert [group["lr"] for group in hidden] == [rate * 0.5, rate * 0.25]


@pytest.mark.parametrize("family", FAMILIES)
def test_head_only_changes_no_bit_of_the_body(family):
    model = tuned(family)
    freeze(model, ["body.*"])
    before = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    step(model)
    changed = {name for name, tensor in model.state_dict().items() if not torch.equal(tensor, before[name])}
    assert changed and changed <= {name for name in before if not is_body(name, model)}


def test_frozen_parameters_keep_their_bits_and_the_others_learn():
    model = tuned("bert")
    freeze(model, ["body.*.embedding.*", "body.*.blocks.[0-9].*"], trained=["*.blocks.1.*_norm.*"])
    before = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    step(model)
    changed = {name for name, tensor in model.state_dict().items() if not torch.equal(tensor, before[name])}
    assert changed == {n for n in before if not n.startswith(("body.encoder.embedding", "body.encoder.blocks"))} | {
        n for n in before if ".blocks.1." in n and "_norm." in n
    }


@pytest.mark.parametrize("name", ["encoder.blocks.0.*", "body.encoder.blocks.0.*"])
def test_a_body_without_a_head_answers_to_both_names(name):
    model = small("bert")
    freeze(model, [name])
    frozen = {each for each, parameter in model.named_parameters() if not parameter.requires_grad}
    assert frozen == {each for each, _ in model.named_parameters() if each.startswith("encoder.blocks.0.")}


def test_a_pattern_that_names_nothing_gets_the_nearest_name():
    model = tuned("bert")
    with pytest.raises(
        ValueError, match=r'tuning.frozen\[1\]: "body.\*.block.0.\*" names no .*; nearest: body.*blocks.0'
    ):
        freeze(model, ["body.*", "body.*.block.0.*"])
    with pytest.raises(ValueError, match=r"tuning.trained\[0\]: .* names no parameter; nearest: head.weight"):
        freeze(model, ["body.*"], trained=["head.weights"])
    assert nearest("body.encoder.blocks.0.*", ["body.encoder.blocks.0.a.weight"]) == "body.encoder.blocks.0.*"


def test_what_is_new_and_all_of_a_model_cannot_be_frozen():
    model = tuned("bert")
    with pytest.raises(ValueError, match=r"tuning.frozen: head.weight is new, so it must be trained"):
        freeze(model, ["head.*"], new=["head.weight"])
    with pytest.raises(ValueError, match=r"nothing is left to train"):
        freeze(model, ["*"])
    assert all(parameter.requires_grad for parameter in model.parameters())


def test_adapters_are_never_frozen():
    model = tuned("gpt")
    names = LowRank(rank=2).adapt(model)
    freeze(model, ["body.*"])
    trained = {name for name, parameter in model.named_parameters() if parameter.requires_grad}
    assert trained == {f"{name}.{own}" for name in names for own in ("down", "up")} | {"head.weight"}


def test_a_model_of_one_s_own_without_transformers_is_all_head():
    model = torch.nn.Sequential(torch.nn.Linear(2, 2))
    assert not is_body("0.weight", model) and scale_of(model, head_lr=2.0) == {"0.weight": 2.0, "0.bias": 2.0}
    assert is_body(
        "encoder.embedding.tokens.weight", Bert(vocab_size=9, width=8, depth=1, heads=2, hidden=8, max_length=4)
    )
