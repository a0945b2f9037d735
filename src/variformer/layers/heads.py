"""What turns final states into predictions."""

from collections.abc import Callable

from torch import Tensor, nn

from ..ranges import BelowOne, Count, Positive
from .hidden import matrices_of

# Shapes: B batch, T tokens, D model width, V vocabulary.


class TokenHead(nn.Module):
    """States -> scores over the vocabulary, usually with the embedding's own weights (Press and Wolf, 2016)."""

    def __init__(
        self,
        width: Count,
        vocab_size: Count,
        *,
        tied_to: nn.Embedding | None = None,
        transform: nn.Module | None = None,
        bias: bool = False,
        scale: Positive = 1.0,
    ):
        super().__init__()
        self.transform = transform or nn.Identity()
        self.scores = nn.Linear(width, vocab_size, bias)
        self.scale = scale
        if tied_to is not None:
            self.scores.weight = tied_to.weight

    def hidden_matrices(self) -> list[nn.Parameter]:
        """Those of `transform`; the scores are the output."""
        return matrices_of(self.transform)

    def forward(self, x: Tensor) -> Tensor:
        """(..., D) -> (..., V)."""
        return self.scores(self.transform(x) * self.scale)


class PooledHead(nn.Module):
    """One state for the whole text -> a hidden layer -> class scores (BERT's pooler and pair classifier)."""

    def __init__(
        self,
        width: Count,
        classes: Count,
        *,
        activation: Callable[[], nn.Module] = nn.Tanh,
        dropout: BelowOne = 0.0,
    ):
        super().__init__()
        self.pool = nn.Linear(width, width)
        self.activation = activation()
        self.dropout = nn.Dropout(dropout)
        self.scores = nn.Linear(width, classes)

    def hidden_matrices(self) -> list[nn.Parameter]:
        """The matrix of the hidden layer; the scores are the output."""
        return matrices_of(self.pool)

    def forward(self, x: Tensor) -> Tensor:
        """(B, D) -> (B, classes)."""
        return self.scores(self.dropout(self.activation(self.pool(x))))
