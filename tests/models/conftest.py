"""A small model of each system, whatever its parts, and what it predicts."""

from collections.abc import Callable

import pytest
import systems
import torch
import torch.nn.functional as F
from torch import Tensor, nn


@pytest.fixture(autouse=True)
def seed():
    torch.manual_seed(0)


@pytest.fixture
def tiny() -> Callable[..., nn.Module]:
    """`tiny(system, **parts)`: every parameter random, biases and norms too, so that no zero hides a fault."""
    return lambda system, **parts: systems.drawn(systems.small(system, **parts))


@pytest.fixture
def scores_of() -> Callable[[nn.Module], list[Tensor]]:
    """All that a model predicts for a batch of two random inputs, (..., classes) each."""
    return lambda model: systems.scores_of(model(*systems.inputs_of(model)))


@pytest.fixture
def loss_of(scores_of) -> Callable[[nn.Module], Tensor]:
    """The mean cross-entropy of random targets, summed over the heads."""

    def loss(model: nn.Module) -> Tensor:
        total = torch.zeros(())
        for scores in scores_of(model):
            flat = scores.flatten(0, -2)
            total = total + F.cross_entropy(flat.float(), torch.randint(flat.size(-1), (len(flat),)))
        return total

    return loss
