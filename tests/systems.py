"""The systems that the tests are run on: every conf/model/*.yaml, in small sizes. A new file is tested by existing.

`SYSTEMS` are their names, and `small(system)` builds one. `SCHEMES` are the positional schemes: every
conf/model/positions/*.yaml, and the other subclasses of `Positions`.
"""

from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path
from typing import Any

import torch
import yaml
from hydra import compose, initialize_config_dir
from hydra.core.global_hydra import GlobalHydra
from omegaconf import OmegaConf
from torch import Tensor, nn

from variformer import layers
from variformer.config import instantiate, register_resolvers
from variformer.config.classes.attributes import declared
from variformer.models import Detections, EncoderDecoder, ImageClassifier

CONF = Path(__file__).parents[1] / "conf"
VOCABULARY, LENGTH, CLASSES = 17, 20, 5
WIDTH = 16
SMALL: dict[str, Any] = {  # by the names of arguments, of models and of their parts
    **{"vocab_size": VOCABULARY, "max_length": LENGTH, "width": WIDTH, "embedding_width": 6, "depth": 2, "heads": 2},
    **{
        "hidden": 4 * WIDTH,
        "head_width": 6,
        "global_every": 2,
        "generator_divisor": 2,
        "key_value_heads": 1,
        "window": 2,
    },
    **{"image_size": 4, "patch_size": 2, "channels": 1, "classes": CLASSES},
}
# What a class of a model has by default, in a small size.
WINDOW = {"_target_": "variformer.layers.Attention", "_partial_": True, "window": 2}
BESIDES: dict[str, dict[str, Any]] = {"modern_bert": {"attention": WINDOW}}


def names_in(folder: str, *left_out: str) -> list[str]:
    return sorted(file.stem for file in (CONF / folder).glob("*.yaml") if file.stem not in left_out)


SYSTEMS = names_in("model", "parts", "source")


@cache
def composed(system: str) -> dict[str, Any]:
    """What `model=SYSTEM` composes to, with the sizes of its paper, and without parts that are null."""
    register_resolvers()
    GlobalHydra.instance().clear()
    given = ["length=512", "data.image_size=224", "data.channels=3", "data.classes=1000"]
    with initialize_config_dir(str(CONF), version_base="1.3"):
        config = compose(overrides=[f"+model={system}", *(f"+{each}" for each in given)])
    node: Any = OmegaConf.to_container(config.model, resolve=True)
    return {name: value for name, value in node.items() if value is not None}


def smaller(node: dict[str, Any]) -> dict[str, Any]:
    """The same node with the numbers of `SMALL`, also within its parts."""
    small = {name: smaller(value) if isinstance(value, dict) else value for name, value in node.items()}
    return small | {name: SMALL[name] for name in node if name in SMALL}


def node_of(system: str, **changes: Any) -> dict[str, Any]:
    """The config of a small model of a system."""
    return smaller(composed(system)) | BESIDES.get(system, {}) | changes


@cache
def constructor(system: str) -> Callable[..., nn.Module]:
    return instantiate({**node_of(system), "_partial_": True}, "model")


def small(system: str, **arguments: Any) -> nn.Module:
    """A small model of a system. `arguments` replace its own, such as `positions=RotaryPositions`."""
    return constructor(system)(**arguments)


def kind_of(system: str) -> str:
    return declared(composed(system), "kind")


def of_kind(*kinds: str) -> list[str]:
    return [system for system in SYSTEMS if kind_of(system) in kinds]


def drawn(model: nn.Module, mean: float = 0.2, std: float = 0.4) -> nn.Module:
    """The same model with every parameter random, biases and norms too, so that no zero hides a fault."""
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.normal_(mean, std)
    return model


def inputs_of(model: nn.Module, rows: int = 2, length: int = 6) -> tuple[Tensor, ...]:
    """A random batch that the model takes."""
    if isinstance(model, ImageClassifier):
        embedding = model.encoder.embedding
        return (torch.randn(rows, embedding.patches.in_channels, embedding.image_size, embedding.image_size),)
    tokens = torch.randint(VOCABULARY, (rows, length))
    return (tokens, torch.randint(VOCABULARY, (rows, length - 1))) if isinstance(model, EncoderDecoder) else (tokens,)


def scores_of(found: Any) -> list[Tensor]:
    """All that a model predicts, (..., classes) each; of one score, what is likely of two answers."""
    if isinstance(found, Detections):
        found = found._replace(replaced=torch.stack([found.replaced.neg(), found.replaced], -1).sigmoid())
    return [found] if isinstance(found, Tensor) else [scores for scores in found if scores is not None]


def subclasses(kind: type) -> Iterator[type]:
    yield kind
    for each in kind.__subclasses__():
        yield from subclasses(each)


def schemes() -> list[type[layers.Positions]]:
    """The classes that conf/model/positions names, and all others in `variformer.layers`."""
    named = [
        yaml.safe_load((CONF / "model/positions" / f"{each}.yaml").read_text()) for each in names_in("model/positions")
    ]
    found = [instantiate(node, "positions").func for node in named]
    found += [each for each in subclasses(layers.Positions) if each.__module__.startswith("variformer.layers.")]
    return sorted(dict.fromkeys(found), key=lambda each: each.__name__)


def order_of(scheme: type[layers.Positions]) -> layers.Order:
    """What a scheme says of six positions."""
    return scheme(layers.Sizes(WIDTH, 2, WIDTH // 2, LENGTH, causal=False))(6, 0, torch.device("cpu"))


SCHEMES = schemes()
TURNING = [each for each in SCHEMES if order_of(each).rotation is not None]
ADDED = [each for each in SCHEMES if order_of(each).added is not None]
BY_DISTANCE = [each for each in SCHEMES if each not in ADDED]  # only distances count, if anything
CAUSAL, MASKED = of_kind("causal decoder"), of_kind("encoder with a token head")
READING_TWO, IMAGES = of_kind("encoder-decoder"), of_kind("image classifier")
TEXT = [system for system in SYSTEMS if system not in IMAGES]


def simplest(systems: list[str]) -> str:
    """The system with the fewest parts that its class does not have by default."""
    return min(systems, key=lambda each: sum(isinstance(value, dict) for value in composed(each).values()))


TARGETS = sorted({composed(system)["_target_"] for system in SYSTEMS})
# One system for each class of model: for tests in which other parts take the place of a system's own.
FAMILIES = [simplest([each for each in SYSTEMS if composed(each)["_target_"] == target]) for target in TARGETS]
