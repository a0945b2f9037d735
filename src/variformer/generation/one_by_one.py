"""Texts that are written token by token, each row by itself: the best token, or a random one."""

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from ..randomness import uniform
from ..ranges import Count, Positive, Whole
from .choosing import Choice, penalised
from .following import Following
from .reading import Reader

# Shapes: R rows that are still written, V vocabulary.


class Row:
    """One text. `before` stands in front of its first token, and `key` is that of its random numbers.

    `most` tokens may be written, and `forced` is the last of them where the model has such a token.
    """

    def __init__(
        self,
        prompt: Sequence[Whole],
        before: Sequence[Whole],
        key: Whole,
        most: Count,
        following: Following,
        forced: Whole | None = None,
    ):
        self.prompt, self.before, self.key = prompt, before, key
        self.most, self.following, self.forced = most, following, forced
        self.tokens: list[int] = []
        self.score = 0.0

    def write(self, token: int, score: float, ends: Sequence[int]) -> bool:
        """Whether the text goes on behind this token."""
        self.tokens.append(token)
        self.score += score
        if token in ends or len(self.tokens) == self.most or self.following.is_stopped(self.tokens):
            return False
        self.following.follow(self.tokens)
        return True


def write_rows(reader: Reader, rows: list[Row], copies: int, choice: Choice, penalty: float, ends: list[int]) -> None:
    """Write all rows to their ends; `copies` rows in turn have the same prompt, which is read once."""
    scores = reader.begin([row.prompt for row in rows[::copies]], max(row.most for row in rows)).float()
    if copies > 1:
        reader.keep([number // copies for number in range(len(rows))])
        scores = scores.repeat_interleave(copies, 0)
    seen = Seen.of([row.before for row in rows], scores, penalty)
    keys, step = np.array([row.key for row in rows], dtype=np.uint64), 0
    while True:
        forced = [row.forced if step == row.most - 1 else None for row in rows]
        tokens = choice(with_forced(seen.penalised(scores), forced), uniform(keys, 1, stream=step)[:, 0])
        likely = scores.gather(1, tokens[:, None]).squeeze(1) - scores.logsumexp(-1)
        written = zip(rows, tokens.tolist(), likely.tolist(), strict=True)
        going_on = [place for place, (row, token, score) in enumerate(written) if row.write(token, score, ends)]
        if not going_on:
            return
        if len(going_on) < len(rows):
            rows, keys, tokens = [rows[place] for place in going_on], keys[going_on], tokens[going_on]
            reader.keep(going_on)
            seen.keep(going_on)
        seen.add(tokens)
        scores, step = reader.step(tokens).float(), step + 1


class Seen:
    """Which tokens each row has, of its prompt and of what was written; padding is none of them."""

    def __init__(self, tokens: Tensor, penalty: Positive):
        self.tokens, self.penalty = tokens, penalty  # (R, V) bool

    @classmethod
    def of(cls, rows: Sequence[Sequence[int]], scores: Tensor, penalty: float) -> "Seen":
        """Of rows with (R, V) scores. A penalty of 1 changes none."""
        if penalty == 1:
            return NoneSeen(scores, penalty)
        tokens = torch.zeros_like(scores, dtype=torch.bool)
        for seen, row in zip(tokens, rows, strict=True):
            seen[torch.tensor(row, device=scores.device)] = True
        return cls(tokens, penalty)

    def penalised(self, scores: Tensor) -> Tensor:
        """(R, V) -> (R, V)."""
        return penalised(scores, self.tokens, self.penalty)

    def add(self, tokens: Tensor) -> None:
        """(R,)."""
        self.tokens.scatter_(1, tokens[:, None], True)

    def keep(self, rows: list[int]) -> None:
        self.tokens = self.tokens[rows]


class NoneSeen(Seen):
    """Of a penalty that changes nothing."""

    def penalised(self, scores: Tensor) -> Tensor:
        return scores

    def add(self, tokens: Tensor) -> None: ...

    def keep(self, rows: list[int]) -> None: ...


def with_forced(scores: Tensor, forced: Sequence[int | None]) -> Tensor:
    """Where a row has a forced token, no other is possible."""
    if not any(token is not None for token in forced):
        return scores
    scores = scores.clone()
    for row, token in enumerate(forced):
        if token is not None:
            scores[row] = -torch.inf
            scores[row, token] = 0.0
    return scores
