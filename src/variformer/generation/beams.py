"""Beam search, as transformers 5 has it: several texts at once, of which the likeliest go on.

Of each prompt `beams` texts are open. A step looks at twice as many continuations (more, where there are several end
tokens), so that enough remain open if the best ones end. One that ends is finished if it is among the first `beams`.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor

from ..ranges import Count, NotNegative
from .one_by_one import Seen, with_forced
from .reading import Prompts, Reader

# Shapes: P prompts that are still written, N beams, C candidates, T tokens at most, V vocabulary.

IsStopped = Callable[[int, Sequence[int]], bool]  # whether tokens behind a prompt of this number hold a stop string
IMPOSSIBLE = -1e9  # added to scores; not -inf, so that sums have no nan


@dataclass(frozen=True)
class Beams:
    """`length_penalty`: the power of the length by which a sum of log probabilities is divided.

    `early_stopping`: True ends with as many finished texts as beams; False where no open text has a better score
    at its present length than the worst finished one; "never" where none could have one at any length.
    """

    count: Count
    length_penalty: NotNegative
    early_stopping: bool | Literal["never"]

    def may_improve(self, best_open: Tensor, worst_finished: Tensor, length: int, most: Tensor) -> Tensor:
        """(P,) each -> (P,) bool."""
        at_most = self.early_stopping == "never" and self.length_penalty > 0
        lengths = most if at_most else torch.full_like(most, length)
        return best_open / lengths**self.length_penalty > worst_finished


class Search:
    """The open and the finished texts of each prompt, (P, N) each, and their scores."""

    def __init__(self, prompts: Count, beams: Beams, most: list[Count], device: torch.device):
        self.beams = beams
        shape = (prompts, beams.count)
        self.open = torch.zeros(*shape, max(most), dtype=torch.long, device=device)
        self.open_scores = torch.zeros(shape, device=device)
        self.open_scores[:, 1:] = IMPOSSIBLE  # all beams begin with the same text: the first one goes on
        self.finished, self.lengths = self.open.clone(), self.open.new_zeros(shape)
        self.finished_scores = torch.full(shape, IMPOSSIBLE, device=device)
        self.is_finished = torch.zeros(shape, dtype=torch.bool, device=device)
        self.most = torch.tensor(most, device=device)
        self.length = 0

    def candidates(self, log_probabilities: Tensor, count: int) -> tuple[Tensor, Tensor, Tensor]:
        """(P * N, V) -> the best continuations: (P, C) scores, (P, C) the beams they go on from, (P, C, T) texts."""
        vocabulary = log_probabilities.size(-1)
        sums = log_probabilities.view(-1, self.beams.count, vocabulary) + self.open_scores[:, :, None]
        scores, places = sums.flatten(1).topk(min(count, self.beams.count * vocabulary))
        origins = places // vocabulary
        texts = taken(self.open, origins)
        texts[:, :, self.length] = places % vocabulary
        self.length += 1
        return scores, origins, texts

    def last_step(self) -> list[bool]:
        """(P * N,): whether a text may have one token more."""
        return (self.most == self.length + 1).repeat_interleave(self.beams.count).tolist()

    def newest(self) -> Tensor:
        """(P * N,): the last tokens of the open texts."""
        return self.open[:, :, self.length - 1].flatten()

    def at_end(self, texts: Tensor, ends: list[int], numbers: list[int], is_stopped: IsStopped | None) -> Tensor:
        """(P, C, T) -> (P, C): whether a continuation ends, by its last token, by its length or by its text."""
        newest = texts[:, :, self.length - 1]
        ended = torch.isin(newest, newest.new_tensor(ends)) | (self.most == self.length)[:, None]
        if is_stopped is None:
            return ended
        rows = zip(numbers, texts[:, :, : self.length].tolist(), strict=True)
        stopped = [[is_stopped(number, text) for text in texts_] for number, texts_ in rows]
        return ended | torch.tensor(stopped, device=ended.device)

    def go_on(self, scores: Tensor, origins: Tensor, texts: Tensor, ended: Tensor) -> Tensor:
        """Open the best texts that have not ended -> (P, N) the beams that they go on from."""
        scores = scores + ended * IMPOSSIBLE
        self.open_scores, best = scores.topk(self.beams.count)
        self.open = taken(texts, best)
        return taken(origins, best)

    def finish(self, scores: Tensor, texts: Tensor, ended: Tensor) -> None:
        """Of those that ended among the first N, and those that were finished before, keep the best N."""
        ends_here = ended & (torch.arange(ended.size(1), device=ended.device) < self.beams.count)
        scores = scores / self.length**self.beams.length_penalty + ~ends_here * IMPOSSIBLE
        self.finished_scores, best = torch.cat([self.finished_scores, scores], 1).topk(self.beams.count)
        self.finished = taken(torch.cat([self.finished, texts], 1), best)
        self.is_finished = taken(torch.cat([self.is_finished, ends_here], 1), best)
        self.lengths = taken(torch.cat([self.lengths, torch.full_like(ended, self.length, dtype=torch.long)], 1), best)

    def is_open(self, ended: Tensor) -> Tensor:
        """(P,): whether a prompt's search goes on."""
        worst = torch.where(self.is_finished.all(1), self.finished_scores.amin(1), IMPOSSIBLE)
        open_ = self.beams.may_improve(self.open_scores[:, 0], worst, self.length, self.most) & ~ended.all(1)
        return open_ & ~self.is_finished.all(1) if self.beams.early_stopping is True else open_

    def keep(self, prompts: Tensor) -> None:
        self.open, self.open_scores, self.most = self.open[prompts], self.open_scores[prompts], self.most[prompts]
        self.finished, self.finished_scores = self.finished[prompts], self.finished_scores[prompts]
        self.lengths, self.is_finished = self.lengths[prompts], self.is_finished[prompts]

    def best(self, prompt: int) -> list[tuple[list[int], float]]:
        """The finished texts of a prompt and their scores, the best first."""
        rows = zip(
            *(each[prompt].tolist() for each in (self.finished, self.lengths, self.finished_scores)), strict=True
        )
        return [(tokens[:length], score) for tokens, length, score in rows if length]


def search(
    reader: Reader,
    prompts: Prompts,
    most: list[int],
    *,
    beams: Beams,
    penalty: float,
    ends: list[int],
    forced: int | None,
    is_stopped: IsStopped | None,
) -> list[list[tuple[list[int], float]]]:
    """The best texts of each prompt, with their scores. `most` tokens are written behind a prompt."""
    scores = reader.begin(prompts, max(most)).float().repeat_interleave(beams.count, 0)
    reader.keep([number for number in range(len(prompts)) for _ in range(beams.count)])
    found: list[list[tuple[list[int], float]]] = [[] for _ in prompts]
    numbers = list(range(len(prompts)))
    state = Search(len(prompts), beams, most, scores.device)
    seen = Seen.of([reader.before(each) for each in prompts for _ in range(beams.count)], scores, penalty)
    while True:
        log_probabilities = seen.penalised(scores.log_softmax(-1))
        if forced is not None:
            log_probabilities = with_forced(log_probabilities, [forced if each else None for each in state.last_step()])
        scores, origins, texts = state.candidates(log_probabilities, max(2, 1 + len(ends)) * beams.count)
        ended = state.at_end(texts, ends, numbers, is_stopped)
        origins = state.go_on(scores, origins, texts, ended)
        state.finish(scores, texts, ended)
        is_open = state.is_open(ended).tolist()
        staying = [place for place, each in enumerate(is_open) if each]
        for place in set(range(len(numbers))) - set(staying):
            found[numbers[place]] = state.best(place)
        if not staying:
            return found
        rows = [place * beams.count + beam for place in staying for beam in origins[place].tolist()]
        if rows != list(range(len(is_open) * beams.count)):
            numbers = [numbers[place] for place in staying]
            state.keep(torch.tensor(staying, device=ended.device))
            reader.keep(rows)
            seen.keep(rows)
        tokens = state.newest()
        seen.add(tokens)
        scores = reader.step(tokens).float()


def taken(x: Tensor, places: Tensor) -> Tensor:
    """(P, A, ...), (P, B) -> (P, B, ...)."""
    return x[torch.arange(x.size(0), device=x.device)[:, None], places]
