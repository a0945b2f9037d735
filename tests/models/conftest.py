"""A tiny model of each family, whatever its parts, and an input for it."""

from collections.abc import Callable
from functools import partial

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from variformer.models import GPT, T5, Bert, ViT

SIZES = dict(width=12, depth=2, heads=2, hidden=10)
BUILD = {
    "bert": partial(Bert, vocab_size=17, max_length=6, **SIZES),
    "gpt": partial(GPT, vocab_size=17, max_length=6, **SIZES),
    "t5": partial(T5, vocab_size=17, max_length=6, head_width=4, **SIZES),
    "vit": partial(ViT, image_size=4, patch_size=2, channels=1, classes=5, **SIZES),
}


@pytest.fixture(autouse=True)
def seed():
    torch.manual_seed(0)


@pytest.fixture
def tiny() -> Callable[..., nn.Module]:
    """`tiny(family, **parts)`: every parameter random, biases and norms too, so that no zero hides a fault."""

    def build(family: str, **parts) -> nn.Module:
        model = BUILD[family](**parts)
        with torch.no_grad():
            for parameter in model.parameters():
                parameter.normal_(0.2, 0.4)
        return model

    return build


@pytest.fixture
def scores_of() -> Callable[[str, nn.Module], list[Tensor]]:
    """All that a model of a family predicts for a batch of two random inputs, (..., classes) each."""

    def scores(family: str, model: nn.Module) -> list[Tensor]:
        if family == "vit":
            return [model(torch.randn(2, 1, 4, 4))]
        tokens = torch.randint(17, (2, 6))
        if family == "t5":
            return [model(tokens, torch.randint(17, (2, 5)))]
        return list(model(tokens)) if family == "bert" else [model(tokens)]

    return scores


@pytest.fixture
def loss_of(scores_of) -> Callable[[str, nn.Module], Tensor]:
    """The mean cross-entropy of random targets, summed over the heads."""

    def loss(family: str, model: nn.Module) -> Tensor:
        total = torch.zeros(())
        for scores in scores_of(family, model):
            flat = scores.flatten(0, -2)
            total = total + F.cross_entropy(flat.float(), torch.randint(flat.size(-1), (len(flat),)))
        return total

    return loss
