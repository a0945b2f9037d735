"""A model of our own. What a model may have, and what each gives, stands in `variformer.models`."""

from typing import ClassVar

import torch
from torch import Tensor, nn

from variformer.ranges import Count

# Shapes: B batch, T tokens, D width, V vocabulary.


class Averaging(nn.Module):
    """Scores of the next token, from the mean of the embeddings so far and the last one."""

    kind: ClassVar = "causal decoder"  # lets a config be refused that gives it an objective of another kind

    def __init__(self, vocab_size: Count = 300, width: Count = 64):
        super().__init__()
        self.embedding = nn.Embedding(vocab_size, width)
        self.mix = nn.Sequential(nn.Linear(2 * width, width), nn.GELU(), nn.LayerNorm(width))
        self.head = nn.Linear(width, vocab_size)

    def forward(self, tokens: Tensor, mask: Tensor | None = None) -> Tensor:
        """(B, T) -> (B, T, V)."""
        x = self.embedding(tokens)
        counts = torch.arange(1, x.size(1) + 1, device=x.device)
        mean = x.cumsum(1) / counts[:, None]
        return self.head(self.mix(torch.cat([x, mean], dim=-1)))
