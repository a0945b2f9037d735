"""How a model reads prompts and what is written behind them, token by token over a cache.

A reader has three calls: `begin` reads the prompts, `step` one more token of each row, and both give (R, V) scores of
the token that follows. `keep` goes on with some rows: of beams the best, of texts those that are not finished.
"""

from collections.abc import Sequence
from typing import Protocol

import torch
from torch import Tensor

from .. import models
from ..models import CausalLanguageModel
from ..ranges import Count, Whole

# Shapes: P prompts, R rows, T tokens of the longest prompt, V vocabulary.

Prompts = Sequence[Sequence[int]]


class Reader(Protocol):
    def before(self, prompt: Sequence[int]) -> Sequence[int]:
        """What stands before the first token that is written."""
        ...

    def room(self, prompt: Sequence[int]) -> int | None:
        """How many tokens fit behind the prompt; None where nothing is too long. Raises ValueError for none."""
        ...

    def begin(self, prompts: Prompts, count: int) -> Tensor:
        """(P, V). At most `count` tokens will follow."""
        ...

    def step(self, tokens: Tensor) -> Tensor:
        """(R,) -> (R, V)."""
        ...

    def keep(self, rows: list[int]) -> None: ...


class DecoderOnly:
    """A model that goes on from its prompts. In a batch they are padded on the left."""

    def __init__(self, model: CausalLanguageModel, device: torch.device, longest: Count | None):
        self.model, self.device = model, device
        self.longest = least(longest, model.decoder.positions.longest)
        self.real: Tensor | None = None  # (R, T + count)

    def before(self, prompt: Sequence[int]) -> Sequence[int]:
        return prompt

    def room(self, prompt: Sequence[int]) -> int | None:
        if self.longest is None:
            return None
        if len(prompt) >= self.longest:
            problem = f"prompt of {len(prompt)} tokens: the model reads {self.longest} and has no room to write"
            raise ValueError(f"{problem}; shorten the prompt")
        return self.longest - len(prompt)

    def begin(self, prompts: Prompts, count: int) -> Tensor:
        width = max(map(len, prompts))
        tokens = torch.tensor([[0] * (width - len(each)) + list(each) for each in prompts], device=self.device)
        if any(len(each) < width for each in prompts):
            first = torch.tensor([width - len(each) for each in prompts], device=self.device)
            self.real = torch.arange(width + count, device=self.device) >= first[:, None]
        self.cache = self.model.new_cache()
        return self.read(tokens)

    def step(self, tokens: Tensor) -> Tensor:
        return self.read(tokens[:, None])

    def read(self, tokens: Tensor) -> Tensor:
        mask = None if self.real is None else self.real[:, : self.cache.length + tokens.size(1)]
        return self.model.next_scores(tokens, mask, self.cache)

    def keep(self, rows: list[int]) -> None:
        chosen = torch.tensor(rows, device=self.device)
        self.real = None if self.real is None else self.real[chosen]
        for block in self.cache.blocks:
            block.self_attention.keep(chosen)


class EncoderDecoder:
    """A model that writes a text of its own about each source. In a batch sources are padded on the right."""

    def __init__(self, model: models.EncoderDecoder, device: torch.device, longest: Count | None, start: Whole):
        self.model, self.device, self.start = model, device, start
        self.longest_source = least(longest, model.encoder.positions.longest)
        self.longest_target = least(longest, model.decoder.positions.longest)

    def before(self, prompt: Sequence[int]) -> Sequence[int]:
        return [self.start]

    def room(self, prompt: Sequence[int]) -> int | None:
        if self.longest_source is not None and len(prompt) > self.longest_source:
            problem = f"source of {len(prompt)} tokens: the model reads {self.longest_source}"
            raise ValueError(f"{problem}; shorten the source")
        return None if self.longest_target is None else self.longest_target - 1

    def begin(self, prompts: Prompts, count: int) -> Tensor:
        width = max(map(len, prompts))
        source = torch.tensor([[*each, *[0] * (width - len(each))] for each in prompts], device=self.device)
        lengths = torch.tensor([len(each) for each in prompts], device=self.device)
        padded = any(len(each) < width for each in prompts)
        self.memory_mask = torch.arange(width, device=self.device) < lengths[:, None] if padded else None
        self.memory = self.model.encode(source, self.memory_mask)
        self.read_by = list(range(len(prompts)))  # which source each row reads
        self.cache = self.model.new_cache()
        return self.step(torch.full((len(prompts),), self.start, device=self.device))

    def step(self, tokens: Tensor) -> Tensor:
        return self.model.decode(tokens[:, None], self.memory, self.memory_mask, cache=self.cache)[:, -1]

    def keep(self, rows: list[int]) -> None:
        chosen, read_by = torch.tensor(rows, device=self.device), [self.read_by[row] for row in rows]
        for block in self.cache.blocks:
            block.self_attention.keep(chosen)
        if read_by == self.read_by:
            return  # beams of one source changed places
        self.read_by, self.memory = read_by, self.memory[chosen]
        self.memory_mask = None if self.memory_mask is None else self.memory_mask[chosen]
        for block in self.cache.blocks:
            block.cross_attention.keep(chosen)


def least(*limits: int | None) -> int | None:
    """The smallest limit; None is no limit."""
    return min((each for each in limits if each is not None), default=None)
