"""How the next token is chosen from its scores."""

from dataclasses import dataclass

import torch
from torch import Tensor

from ..ranges import Count, NotNegative, PartOrAll

# Shapes: B batch, V vocabulary.


@dataclass(frozen=True)
class Sampling:
    """`temperature` 0 takes the best token. `top_k` and `top_p` first leave out all but the likeliest tokens.

    Fan et al., 2018 (top-k); Holtzman et al., 2019, section 3.1 (top-p).
    """

    temperature: NotNegative = 1.0
    top_k: Count | None = None
    top_p: PartOrAll = 1.0

    def __call__(self, scores: Tensor, generator: torch.Generator) -> Tensor:
        """(B, V) -> (B,)."""
        if self.temperature == 0:
            return scores.argmax(-1)
        scores = scores.float() / self.temperature
        if self.top_k is not None:
            smallest = scores.topk(min(self.top_k, scores.size(-1))).values[:, -1:]
            scores = scores.masked_fill(scores < smallest, -torch.inf)
        if self.top_p < 1:
            ordered, order = scores.sort(descending=True)
            shares = ordered.softmax(-1)
            beyond = shares.cumsum(-1) - shares >= self.top_p  # the first token past the sum still counts
            scores = ordered.masked_fill(beyond, -torch.inf).gather(-1, order.argsort(-1))
        return torch.multinomial(scores.softmax(-1), 1, generator=generator).squeeze(1)
