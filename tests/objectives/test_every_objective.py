"""What every file of conf/objective does in a small model that it trains. A new file is tested by existing."""

from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from hydra import compose, initialize_config_dir
from hydra.core.global_hydra import GlobalHydra
from omegaconf import OmegaConf
from systems import CLASSES, CONF, IMAGES, composed, drawn, names_in, of_kind, simplest, small
from torch import Tensor, nn

from variformer.config import instantiate, register_resolvers
from variformer.config.checking.defaults import with_defaults
from variformer.config.classes.attributes import declared
from variformer.data.text.corpus import Corpus
from variformer.randomness import sample_key

LENGTH, ROWS = 48, 4
NAMES = names_in("objective")


@pytest.fixture
def built(vocabulary):
    """An option -> the objective, a model that it trains, and samples."""

    def build(name: str) -> tuple[Any, nn.Module, list[Any]]:
        register_resolvers()
        GlobalHydra.instance().clear()
        with initialize_config_dir(str(CONF), version_base="1.3"):
            node: Any = OmegaConf.to_container(compose(overrides=[f"+objective={name}"]).objective, resolve=True)
        part = instantiate({key: None if value == "???" else value for key, value in node.items()}, "objective")
        torch.manual_seed(0)
        objective = part(SimpleNamespace(classes=CLASSES), None) if reads_images(part) else part(vocabulary, LENGTH)
        unfit = getattr(objective, "unfit", {})
        fitting = [each for each in of_kind(type(objective).trains) if fits(each, unfit)]
        system = simplest(fitting)
        sizes = {} if system in IMAGES else {"vocab_size": vocabulary.size, "max_length": 2 * LENGTH}
        if hasattr(objective, "learn_from"):
            objective.learn_from(drawn(small(system, **sizes)))
        view = objective.view(images() if reads_images(part) else corpus(vocabulary))
        samples = [view.sample(index % len(view), int(key)) for index, key in enumerate(keys(0))]
        return objective, drawn(small(system, **sizes)), samples

    return build


def reads_images(part: Any) -> bool:
    return part.func.reads == "images"


def fits(system: str, unfit: Any) -> bool:
    """Whether no argument of the system's model, or else no default of it, is one that the objective cannot train."""
    defaults = with_defaults(composed(system))
    found = {name: defaults.get(name, declared(composed(system), name)) for name in unfit}
    return all(found[name] not in values for name, values in unfit.items())


def corpus(vocabulary: Any) -> Corpus:
    """Documents of four sentences, of 1 to 9 tokens each."""
    sentences = np.cumsum([0, *np.random.default_rng(0).integers(1, 10, 120)])
    tokens = 5 + np.arange(sentences[-1], dtype=np.uint16) % 895
    return Corpus(tokens, sentences[::4], sentences, vocabulary)


class images:
    def __len__(self) -> int:
        return ROWS

    def sample(self, index: int, key: int) -> dict[str, Any]:
        image = torch.rand(1, 4, 4, generator=torch.Generator().manual_seed(index))
        return {"image": image, "label": index % CLASSES}


def keys(seed: int) -> np.ndarray:
    return np.array([sample_key(seed, 0, index) for index in range(ROWS)], dtype=np.uint64)


def same(one: Any, other: Any) -> bool:
    return torch.equal(one, other) if isinstance(one, Tensor) else one == other


@pytest.mark.parametrize("name", NAMES)
def test_the_same_keys_give_the_same_batch(built, name):
    objective, _, samples = built(name)
    first, again = (objective.collate(samples, keys(1), True) for _ in range(2))
    assert first.keys() == again.keys() and all(same(value, again[key]) for key, value in first.items())
    assert first["count"] > 0


@pytest.mark.parametrize("name", NAMES)
def test_it_trains_all_of_a_model(built, name):
    objective, model, samples = built(name)
    objective.train()
    objective.initialise(model)
    scores = objective(model.train(), objective.collate(samples, keys(1), True))
    scores.loss.backward()
    assert scores.loss.isfinite() and scores.ratios
    missing = [each for each, parameter in model.named_parameters() if parameter.grad is None]
    assert not [each for each in missing if "pair_head" not in each], missing


@pytest.mark.parametrize("name", NAMES)
def test_it_measures_what_it_monitors(built, name):
    objective, model, samples = built(name)
    objective.eval()
    with torch.no_grad():
        scores = objective(model.eval(), objective.collate(samples, keys(1), False))
    means = {each: float(ratio.total / ratio.count) for each, ratio in scores.ratios.items() if ratio.count > 0}
    assert objective.monitor in means | objective.derive(means)
    assert all(np.isfinite(value) for value in means.values())
