"""How the next token is chosen from its scores."""

from dataclasses import dataclass

import torch
from torch import Tensor

from ..ranges import Count, NotNegative, PartOrAll

# Shapes: B batch, V vocabulary.


@dataclass(frozen=True)
class Sampling:
    """A random token, with the probabilities that the scores give.

    temperature: scores are divided by it; 0 always takes the likeliest token
    top_k: how many of the likeliest tokens remain (Fan et al., 2018); None: all
    top_p: the likeliest tokens remain whose probabilities add up to it (Holtzman et al., 2019, section 3.1)
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
            probabilities = ordered.softmax(-1)
            beyond = probabilities.cumsum(-1) - probabilities >= self.top_p  # the token that reaches the sum remains
            scores = ordered.masked_fill(beyond, -torch.inf).gather(-1, order.argsort(-1))
        return torch.multinomial(scores.softmax(-1), 1, generator=generator).squeeze(1)
