"""The position-wise half of a block."""

from collections.abc import Callable
from functools import partial
from typing import Literal

from torch import Tensor, nn

from ..ranges import BelowOne, Count

Activation = Literal["relu", "relu_squared", "gelu", "gelu_tanh", "silu"]


class ReLUSquared(nn.Module):
    """max(0, x)^2 (So et al., 2021, "Primer", section 4)."""

    def forward(self, x: Tensor) -> Tensor:
        return x.relu().square()


ACTIVATIONS: dict[str, Callable[[], nn.Module]] = {
    "relu": nn.ReLU,
    "relu_squared": ReLUSquared,
    "gelu": nn.GELU,  # with the error function, as in BERT and ViT
    "gelu_tanh": partial(nn.GELU, approximate="tanh"),  # as in GPT-2 and T5 1.1
    "silu": nn.SiLU,
}


class FeedForward(nn.Module):
    """Widen, activate, narrow (Vaswani et al., 2017, section 3.3). `bias`: whether both matrices have one."""

    def __init__(
        self, width: Count, hidden: Count, *, activation: Activation, bias: bool = True, dropout: BelowOne = 0.0
    ):
        super().__init__()
        self.widen = nn.Linear(width, hidden, bias)
        self.activation = ACTIVATIONS[activation]()
        self.dropout = nn.Dropout(dropout)
        self.narrow = nn.Linear(hidden, width, bias)

    def forward(self, x: Tensor) -> Tensor:
        return self.narrow(self.dropout(self.activation(self.widen(x))))


class GatedFeedForward(FeedForward):
    """Hidden units, each let through by a gate of its own (Shazeer, 2020, "GLU Variants Improve Transformer")."""

    def __init__(
        self, width: Count, hidden: Count, *, activation: Activation, bias: bool = True, dropout: BelowOne = 0.0
    ):
        super().__init__(width, hidden, activation=activation, bias=bias, dropout=dropout)
        self.gate = nn.Linear(width, hidden, bias)

    def forward(self, x: Tensor) -> Tensor:
        return self.narrow(self.dropout(self.activation(self.gate(x)) * self.widen(x)))
