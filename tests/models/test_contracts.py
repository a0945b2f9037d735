"""What the rest of Variformer needs of each model, by name: a new model that lacks something fails here."""

import inspect

import pytest
import torch
import transformers
from systems import CAUSAL, CONF, READING_TWO, SYSTEMS, TEXT, composed, drawn, inputs_of, scores_of, small
from torch import nn

from variformer import models
from variformer.config.checking.compatibility import target_of
from variformer.config.classes.attributes import declared
from variformer.exchange.readers import reader_of
from variformer.layers import PooledHead, TokenHead
from variformer.models.contracts import CONTRACTS, SpecialToken
from variformer.models.tuned import Rereading, Tuned
from variformer.portable.heads import KINDS, head_of
from variformer.training.optimizer import decay_groups
from variformer.weights.destination import destination
from variformer.weights.tables import FAMILIES

CLASSES = [each for each in vars(models).values() if inspect.isclass(each) and issubclass(each, nn.Module)]
HEADS = [each for each in CLASSES if issubclass(each, Tuned) and each is not Tuned]
MODELS = [each for each in CLASSES if not issubclass(each, Tuned) and each not in (models.TextModel, *CONTRACTS)]
MODELS = list(dict.fromkeys([*MODELS, *(type(small(system)) for system in SYSTEMS)]))
TASKS = [task.theirs for family in FAMILIES.values() for task in family.tasks]


@pytest.mark.parametrize("model", MODELS, ids=lambda each: each.__name__)
def test_every_model_has_a_kind_an_objective_and_a_pipeline(model):
    assert model.kind in KINDS, f"portable.heads.KINDS has no classes for the kind of {model.__name__}"
    for name in {model.objective, getattr(model, "pair_objective", None) or model.objective}:
        trains = declared({"_target_": f"variformer.objectives.{name}"}, "trains")
        assert trains == model.kind, f"{model.__name__}: variformer.objectives.{name} trains {trains}"
    assert model.pipeline, f"{model.__name__} has no pipeline, which its model card names"


@pytest.mark.parametrize("model", MODELS, ids=lambda each: each.__name__)
def test_every_model_has_a_family_of_theirs(model):
    served = {kind.__module__ for family in FAMILIES.values() for kind in family.models}
    assert model.__module__ in served, f"no table in weights/tables is for {model.__name__}"


@pytest.mark.parametrize("kind", CONTRACTS, ids=lambda each: each.__name__)
def test_every_kind_has_classes_in_folders_with_own_code(kind):
    assert kind.kind in KINDS
    assert all(hasattr(transformers, name) for name in KINDS[kind.kind].classes)


@pytest.mark.parametrize("head", HEADS, ids=lambda each: each.__name__)
def test_every_head_for_a_task_has_a_task_and_a_pipeline(head):
    assert head.pipeline and head.task, head.__name__
    if not issubclass(head, Rereading):
        assert hasattr(transformers, f"AutoModelFor{head.task}"), head.__name__


@pytest.mark.parametrize("system", SYSTEMS)
def test_a_card_of_every_system_names_a_reader(system):
    """Of the class of transformers that has its parts, and of its own modelling code."""
    model = small(system)
    for architecture in destination(model).architecture, *head_of(model).classes.values():
        assert hasattr(transformers, reader_of(architecture)), architecture


@pytest.mark.parametrize("system", TEXT)
def test_every_text_model_has_states_and_heads(system):
    model = drawn(small(system)).eval()
    tokens = inputs_of(model)[0]
    states = model.states(tokens)
    assert states.shape == (*tokens.shape, model.width)
    assert all(hasattr(model, name) for name in model.head_names), model.head_names
    above = {name.partition(".")[0] for name, _ in model.named_parameters()} - set(model.head_names)
    kept = {name for name in above if not name.startswith(("encoder", "decoder"))}
    states.sum().backward()
    unread = {name for name, each in model.named_parameters() if name.partition(".")[0] in kept and each.grad is None}
    assert not unread, f"{system}: `head_names` lacks {unread}, which `states` does not read"


@pytest.mark.parametrize("system", CAUSAL)
def test_every_causal_model_decodes_step_by_step(system):
    model = drawn(small(system)).eval()
    (tokens,) = inputs_of(model)
    cache = model.new_cache()
    parts = [model(part, cache=cache) for part in tokens.split(1, 1)]
    torch.testing.assert_close(torch.cat(parts, 1), model(tokens), rtol=0, atol=1e-4)


@pytest.mark.parametrize("system", READING_TWO)
def test_every_encoder_decoder_says_how_a_target_begins(system):
    model = drawn(small(system)).eval()
    tokens = SpecialToken.__args__
    assert model.start_token in tokens and model.last_token in (None, *tokens)
    source, target = inputs_of(model)
    cache, memory = model.new_cache(), model.encode(source)
    parts = [model.decode(part, memory, cache=cache) for part in target.split(1, 1)]
    torch.testing.assert_close(torch.cat(parts, 1), model(source, target), rtol=0, atol=1e-4)


@pytest.mark.parametrize("system", SYSTEMS)
def test_every_matrix_between_input_and_output_is_hidden(system):
    """Muon updates those that a part names in `hidden_matrices()`. A matrix of scores has a row for each class."""
    model = small(system)
    hidden = {id(p) for group in decay_groups(model) if group["name"] == "hidden matrices" for p in group["params"]}
    outputs = {scores.size(-1) for scores in scores_of(model(*inputs_of(model)))}
    outputs |= {head.scores.out_features for head in model.modules() if isinstance(head, PooledHead | TokenHead)}
    for name, module in model.named_modules():
        if isinstance(module, nn.Linear):
            is_output = name.rpartition(".")[2] in ("scores", "head", "teacher_head") and module.out_features in outputs
            assert (id(module.weight) in hidden) != is_output, f"{system}: {name} (hidden_matrices)"
        elif isinstance(module, nn.Embedding):
            assert id(module.weight) not in hidden, f"{system}: {name} reads the input"


def test_every_option_is_a_model_with_a_kind():
    for system in SYSTEMS:
        node = {"_target_": target_of(CONF / "model" / f"{system}.yaml")}
        assert declared(node, "kind") == declared(composed(system), "kind") is not None, system


@pytest.mark.parametrize("name", TASKS)
def test_a_card_of_every_head_for_a_task_names_a_reader(name):
    assert hasattr(transformers, reader_of(name)), name


def test_an_unknown_class_of_theirs_is_named():
    with pytest.raises(ValueError, match="no automatic class of transformers is known for OddForOddities: add"):
        reader_of("OddForOddities")
