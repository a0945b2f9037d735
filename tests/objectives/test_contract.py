"""The contract of an objective, for each file of conf/objective with a small model of the kind that it trains."""

import inspect
import textwrap
from copy import deepcopy
from functools import cache
from pathlib import Path
from types import SimpleNamespace
from typing import ClassVar

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from hydra import compose, initialize_config_dir
from omegaconf import OmegaConf
from torch import nn

from variformer import objectives
from variformer.config import build_model, instantiate, register_resolvers
from variformer.config.checking.defaults import signature_of
from variformer.config.classes.attributes import declared
from variformer.data import Corpus
from variformer.objectives import Distillation, ExampleObjective, ImageObjective, Objective, TextObjective
from variformer.randomness import sample_key
from variformer.samples import Layout

pytestmark = pytest.mark.filterwarnings("ignore:In 'objective/.*Defaults list is missing")

CONF = Path(__file__).parents[2] / "conf"
NAMES = sorted(file.stem for file in (CONF / "objective").glob("*.yaml"))
BASES = {Objective, TextObjective, ExampleObjective, ImageObjective, Distillation}
LENGTH, CLASSES, SIDE = 24, 6, 8
SMALL = {  # of a model, where it has the argument
    **{"vocab_size": 1000, "width": 16, "depth": 2, "heads": 2, "hidden": 32, "max_length": LENGTH, "head_width": 8},
    **{"image_size": SIDE, "patch_size": 4, "channels": 3, "classes": CLASSES, "dropout": 0.0, "groups": 1},
    **{"embedding_width": 8, "pair_classes": 2, "segments": 2, "generator_divisor": 2},
}


@cache
def option(group: str, name: str) -> dict:
    """What conf/GROUP/NAME.yaml composes to."""
    register_resolvers()
    with initialize_config_dir(str(CONF), version_base="1.3"):
        return OmegaConf.to_container(compose(f"{group}/{name}")[group], resolve=False)


def node_of(name: str) -> dict:
    node = deepcopy(option("objective", name))
    return node | {"teacher": None} if "teacher" in node else node


@cache
def model_for(name: str) -> str:
    """The first model that the objective trains."""
    kind = declared(node_of(name), "trains")
    files = sorted((CONF / "model").glob("*.yaml"), key=lambda file: file.stem)
    models = [file.stem for file in files if file.stem not in ("parts", "source")]
    if head_for(name):
        return "bert"
    found = [each for each in models if declared(option("model", each), "kind") == kind]
    assert found, f"no file of conf/model is {kind}, which objective={name} trains"
    return "bert" if "bert" in found else found[0]


@cache
def head_for(name: str) -> str | None:
    """The first head of an encoder that the objective trains; None where it trains a whole model."""
    kind = declared(node_of(name), "trains")
    heads = {file.stem: option("head", file.stem) for file in (CONF / "head").glob("*.yaml") if file.stem != "none"}
    fitting = [each for each, node in heads.items() if declared(node, "kind") == kind]
    return next((each for each in sorted(fitting) if "start" not in signature_of(heads[each]).parameters), None)


def small_model(name: str, objective: Objective | None = None) -> torch.nn.Module:
    node, head = deepcopy(option("model", model_for(name))), head_for(name)
    torch.manual_seed(0)
    config = {"model": node | {key: value for key, value in SMALL.items() if key in node}}
    classes = {"classes": objective.classes} if head and objective is not None and objective.classes else {}
    return build_model(config | ({"head": option("head", head)} if head else {}), **classes)


class Text(Corpus):
    """Twelve documents of eight sentences of five ordinary tokens."""

    def __init__(self, vocabulary):
        tokens = np.random.default_rng(0).choice(np.flatnonzero(~vocabulary.special), 12 * 8 * 5)
        super().__init__(tokens.astype(np.uint16), np.arange(0, 481, 40), np.arange(0, 481, 5), vocabulary)


class Examples:
    """Rows with a text and a pair, a class and a value; what an objective asks of their data, and of one split."""

    fields = frozenset({"text", "pair", "label"})
    labels, label_counts, scale = ("a", "b", "c"), {"a": 2, "b": 3, "c": 4}, (2.0, 3.0)

    def __init__(self, vocabulary):
        self.tokenizer = SimpleNamespace(
            **vars(vocabulary), layout=lambda pair: Layout([2], [1] * pair, [1], int(pair))
        )

    def require(self, *fields, reader):
        assert self.fields >= set(fields)

    def texts(self, length):
        return self

    rated_texts = texts

    def __len__(self) -> int:
        return 9

    def sample(self, index: int, key: int) -> dict:
        words = np.arange(5, 8 + index)
        return {"text": words, "pair": words[: 1 + index % 3], "label": index % 3, "value": float(index)}


class Images:
    def __len__(self) -> int:
        return 9

    def sample(self, index: int, key: int) -> dict:
        image = torch.from_numpy(np.random.default_rng(index).normal(size=(3, SIDE, SIDE))).float()
        return {"image": image, "label": index % CLASSES}


@pytest.fixture
def built(vocabulary, request):
    """An objective, its view, and a small model; a distillation has a teacher of the same kind."""
    name = request.param
    reads = declared(node_of(name), "reads")
    given = {"text": vocabulary, "images": SimpleNamespace(classes=CLASSES), "examples": Examples(vocabulary)}[reads]
    objective = instantiate(node_of(name), "objective")(given, None if reads == "images" else LENGTH)
    model = small_model(name, objective)
    if isinstance(objective, Distillation):
        objective.learn_from(small_model(name))
    objective.initialise(model)
    split = {"text": Text, "images": lambda _: Images(), "examples": Examples}[reads](vocabulary)
    return objective, objective.view(split), model


def batch_of(objective, view, train: bool, seed: int = 0) -> dict:
    keys = np.array([sample_key(seed, 0, index) for index in range(4)], dtype=np.uint64)
    return objective.collate([view.sample(index, int(key)) for index, key in enumerate(keys)], keys, train)


def equal(one: dict, other: dict) -> bool:
    def same(a, b):
        return torch.equal(a, b) if isinstance(a, torch.Tensor) else a == b

    return one.keys() == other.keys() and all(same(one[name], other[name]) for name in one)


def test_the_example_of_the_docstring_is_an_objective(vocabulary):
    _, _, rest = objectives.__doc__.partition("    class LastToken")
    example = textwrap.dedent("    class LastToken" + rest.partition("\n\nWhat a batch")[0])
    names = {"F": F, "np": np, "nn": nn, "torch": torch, "ClassVar": ClassVar, **vars(objectives)}
    exec(example, names)
    objective, model = names["LastToken"](vocabulary, LENGTH), small_model("next_token")
    view = objective.view(Text(vocabulary))
    scores = objective(model, batch_of(objective, view, train=True))
    assert scores.loss.isfinite() and scores.ratios["loss"].count == 4
    assert declared(node_of("next_token"), "trains") == objective.trains


def test_every_exported_objective_has_a_config():
    exported = {each for each in vars(objectives).values() if inspect.isclass(each) and issubclass(each, Objective)}
    assert exported - BASES <= {instantiate(node_of(name), "objective").func for name in NAMES}


@pytest.mark.parametrize("name", NAMES)
def test_a_config_says_what_the_objective_needs(name):
    assert declared(node_of(name), "trains") and declared(node_of(name), "reads") in ("text", "images", "examples")


@pytest.mark.parametrize("train", [True, False], ids=["train", "evaluate"])
@pytest.mark.parametrize("built", NAMES, indirect=True)
def test_the_same_keys_give_the_same_batch(built, train):
    objective, view, _ = built
    batch = batch_of(objective, view, train)
    assert type(batch["count"]) is int and batch["count"] > 0
    assert equal(batch, batch_of(objective, view, train))


@pytest.mark.parametrize("built", NAMES, indirect=True)
def test_the_loss_of_a_small_model_is_finite_and_has_gradients(built):
    objective, view, model = built
    scores = objective.train()(model.train(), batch_of(objective, view, train=True))
    scores.loss.backward()
    assert scores.loss.isfinite() and scores.loss.shape == ()
    gradients = [each.grad for each in model.parameters() if each.grad is not None]
    assert gradients and all(each.isfinite().all() for each in gradients)
    assert any(each.any() for each in gradients)
    untrained = [each for each, parameter in model.named_parameters() if parameter.grad is None]
    assert [each for each in untrained if "pair_head" not in each] == []  # which has an objective of its own
    assert scores.targets is None or scores.targets > 0


@pytest.mark.parametrize("built", NAMES, indirect=True)
def test_evaluation_reports_what_the_objective_monitors(built):
    objective, view, model = built
    with torch.no_grad():
        scores = objective.eval()(model.eval(), batch_of(objective, view, train=False))
    counted = {name: ratio for name, ratio in scores.ratios.items() if ratio.count}  # some are of a part of the batch
    means = {name: float(ratio.total / ratio.count) for name, ratio in counted.items()}
    rows = {name: each.numpy() for name, each in (scores.rows or {}).items()}
    metrics = (objective.measure(rows) if rows else {}) | means | objective.derive(means)
    assert objective.monitor in metrics and objective.mode in ("min", "max")
    assert all(np.isfinite(value) for value in metrics.values())
    if type(objective).answers:
        scored, labels = scores.answers
        assert scored.shape[:1] == labels.shape
