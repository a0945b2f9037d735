"""A tiny model of each family, whatever its parts, and an input for it."""

from collections.abc import Callable
from functools import partial

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from variformer.layers import Attention
from variformer.models import GPT, T5, Albert, Bart, Bert, DeiT, DistilBert, ModernBert, Roberta, ViT

SIZES = dict(width=12, depth=2, heads=2, hidden=10)
TEXT = dict(vocab_size=17, max_length=6, **SIZES)
IMAGES = dict(image_size=4, patch_size=2, channels=1, classes=5, **SIZES)
BUILD = {
    "bert": partial(Bert, **TEXT),
    "roberta": partial(Roberta, **TEXT),
    "distilbert": partial(DistilBert, **TEXT),
    "albert": partial(Albert, embedding_width=6, **TEXT),
    "modern_bert": partial(ModernBert, global_every=2, attention=partial(Attention, window=2), **TEXT),
    "gpt": partial(GPT, **TEXT),
    "t5": partial(T5, head_width=4, **TEXT),
    "bart": partial(Bart, **TEXT),
    "vit": partial(ViT, **IMAGES),
    "deit": partial(DeiT, **IMAGES),
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
        if family in ("vit", "deit"):
            found = model(torch.randn(2, 1, 4, 4))
        else:
            tokens = torch.randint(17, (2, 6))
            found = model(tokens, torch.randint(17, (2, 5))) if family in ("t5", "bart") else model(tokens)
        return [found] if isinstance(found, Tensor) else [scores for scores in found if scores is not None]

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
