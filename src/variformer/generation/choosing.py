"""How the next token is chosen from its scores."""

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from ..ranges import Count, NotNegative, PartOrAll, Probability

# Shapes: R rows, V vocabulary.


@dataclass(frozen=True)
class Choice:
    """Scores -> a token for each row, with the steps of transformers in their order.

    A temperature of 0 takes the best token; otherwise a random one, with the probabilities that are left.
    """

    temperature: NotNegative
    top_k: Count | None
    top_p: PartOrAll
    min_p: Probability

    def __call__(self, scores: Tensor, uniform: np.ndarray) -> Tensor:
        """(R, V) scores, (R,) random numbers in [0, 1) -> (R,) tokens."""
        if self.temperature == 0:
            return scores.argmax(-1)
        return drawn(self.filtered(scores).softmax(-1), uniform)

    def filtered(self, scores: Tensor) -> Tensor:
        """(R, V) -> (R, V): divided by the temperature, and -inf where a token is left out."""
        scores = scores / self.temperature
        if self.top_k is not None:
            scores = among_first(scores, self.top_k)
        if self.top_p < 1:
            scores = nucleus(scores, self.top_p)
        return above_share(scores, self.min_p) if self.min_p else scores


def penalised(scores: Tensor, seen: Tensor, penalty: float) -> Tensor:
    """Lower scores of the tokens that a row has `seen`, (R, V) bool (Keskar et al., 2019, "CTRL", section 4.1)."""
    return torch.where(seen, torch.where(scores < 0, scores * penalty, scores / penalty), scores)


def among_first(scores: Tensor, count: int) -> Tensor:
    """Only the `count` best tokens (Fan et al., 2018, section 5.4)."""
    last = scores.topk(min(count, scores.size(-1))).values[:, -1:]
    return scores.masked_fill(scores < last, -torch.inf)


def nucleus(scores: Tensor, share: float) -> Tensor:
    """Only the likeliest tokens whose probabilities add up to `share` (Holtzman et al., 2019, section 3.1)."""
    ordered, order = scores.sort(descending=False)
    left_out = ordered.softmax(-1).cumsum(-1) <= 1 - share
    left_out[:, -1] = False
    return scores.masked_fill(torch.empty_like(left_out).scatter_(1, order, left_out), -torch.inf)


def above_share(scores: Tensor, share: float) -> Tensor:
    """Only tokens at least `share` times as likely as the likeliest (Nguyen et al., 2024, "min-p", section 3)."""
    probabilities = scores.softmax(-1)
    return scores.masked_fill(probabilities < share * probabilities.amax(-1, keepdim=True), -torch.inf)


def drawn(probabilities: Tensor, uniform: np.ndarray) -> Tensor:
    """(R, V) -> (R,): the first token up to which the probabilities exceed the random number."""
    sums = probabilities.double().cumsum(-1)
    total = sums[:, -1:].contiguous()
    wanted = torch.as_tensor(uniform, device=sums.device)[:, None] * total
    likeliest_end = torch.searchsorted(sums, total)  # the last token that is possible at all
    return torch.minimum(torch.searchsorted(sums, wanted, right=True), likeliest_end).squeeze(1)
