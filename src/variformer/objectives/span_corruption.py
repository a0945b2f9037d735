"""Span corruption (T5): the encoder reads a text with gaps, the decoder writes what was in them.

Raffel et al., 2019, section 3.1.4 and figure 2. The numbers of spans and the choice of their lengths follow the
reference code's `random_spans_noise_mask`.
"""

from typing import ClassVar, NamedTuple

import numpy as np
import torch
import torch.nn.functional as F
from torch import nn

from .. import randomness
from ..ranges import Count, Fraction, OneOrMore, Whole
from ..samples import TextSplit, View, Vocabulary, Window, required
from .masked_tokens import mean
from .objective import Batch, Ratio, Scores, TextObjective

# Shapes: B batch, L raw tokens, S source tokens, T target tokens.


class Denoising(TextObjective[Window]):
    """Runs of tokens are hidden, each behind a sentinel of its own.

    A subclass decides which tokens are hidden, and how long texts and targets are.
    """

    trains: ClassVar = "encoder-decoder"
    raw_length: Count  # tokens of text in a sample
    target_length: Count

    def __init__(self, vocabulary: Vocabulary, length: Count):
        super().__init__(vocabulary, length)
        self.pad, self.end = (required(vocabulary, name, self) for name in ("pad", "end"))

    def require_sentinels(self, spans: int, sentinels: int) -> None:
        if spans > sentinels:
            raise ValueError(
                f"{spans} spans in {self.raw_length} tokens, but the tokenizer has {sentinels} sentinels: use "
                "tokenizer=unigram with more of them, or a shorter length"
            )

    def view(self, data: TextSplit) -> View[Window]:
        return data.windows(self.raw_length)

    def hide(self, lengths: np.ndarray, keys: np.ndarray) -> np.ndarray:
        """(B,) lengths of texts -> (B, L) bool: which tokens are hidden."""
        raise NotImplementedError

    def finished(self, source: np.ndarray, keys: np.ndarray) -> np.ndarray:
        """(B, S) with sentinels -> (B, S) as the encoder reads it; here the same."""
        return source

    def collate(self, samples: list[Window], keys: np.ndarray, train: bool) -> Batch:
        """-> source, (B, S); decoder inputs and targets, (B, T)."""
        tokens = np.stack([sample["tokens"] for sample in samples])
        real = tokens >= 0
        hidden = self.hide(real.sum(1), keys)
        source = self.finished(self.replace_runs(tokens, hidden, real, self.length), keys)
        target = self.replace_runs(tokens, ~hidden & real, real, self.target_length)
        inputs = np.concatenate([np.full((len(target), 1), self.pad), target[:, :-1]], axis=1)
        seen = source != self.pad
        return {
            "source": torch.from_numpy(source),
            "source_mask": None if seen.all() else torch.from_numpy(seen),
            "inputs": torch.from_numpy(inputs),
            "targets": torch.from_numpy(np.where(target == self.pad, -100, target)),
            "count": int(seen.sum() + (target != self.pad).sum()),
        }

    def replace_runs(self, tokens: np.ndarray, hidden: np.ndarray, real: np.ndarray, length: int) -> np.ndarray:
        """Each run of hidden tokens becomes the next sentinel; what is left is closed up, ended and padded."""
        first = hidden & ~np.pad(hidden, ((0, 0), (1, 0)))[:, :-1]
        sentinels = self.vocabulary.sentinels[(np.cumsum(first, axis=1) - 1).clip(min=0)]
        kept = real & (~hidden | first)
        order = np.argsort(~kept, axis=1, kind="stable")
        closed = np.take_along_axis(np.where(first, sentinels, tokens), order, axis=1)
        lengths = kept.sum(1, keepdims=True)
        result = np.full((len(tokens), length), self.pad)
        result[:, : closed.shape[1]] = closed[:, :length]
        columns = np.arange(length)
        return np.where(columns < lengths, result, np.where(columns == lengths, self.end, self.pad))

    def forward(self, model: nn.Module, batch: Batch) -> Scores:
        scores = model(batch["source"], batch["inputs"], source_mask=batch["source_mask"]).flatten(0, 1)
        targets = batch["targets"].flatten()
        count = (targets >= 0).sum()
        ratios = {
            "loss": Ratio(F.cross_entropy(scores.float(), targets, reduction="sum"), count),
            "accuracy": Ratio((scores.argmax(-1) == targets).sum(), count),
        }
        return Scores(mean(ratios["loss"]), ratios, count)


class SpanCorruption(Denoising):
    """`rate` of the tokens are hidden in spans of `mean_span` tokens on average, each behind a sentinel of its own.

    Raw windows are as long as it takes for sources to fill `length` exactly: 512 come from 568, with 114 targets.
    """

    def __init__(self, vocabulary: Vocabulary, length: Count, *, rate: Fraction = 0.15, mean_span: OneOrMore = 3.0):
        super().__init__(vocabulary, length)
        if not 0 < rate < 1 or mean_span < 1:
            raise ValueError(f"objective.rate={rate} must lie in (0, 1), and mean_span={mean_span} be at least 1")
        self.rate, self.mean_span = rate, mean_span
        self.raw_length = raw_length(length, rate, mean_span)
        self.target_length = corrupted_lengths(self.raw_length, rate, mean_span).target
        spans = noise_counts(np.array(self.raw_length), rate, mean_span)[1]
        self.require_sentinels(int(spans), len(vocabulary.sentinels))

    def hide(self, lengths: np.ndarray, keys: np.ndarray) -> np.ndarray:
        return span_mask(lengths, self.raw_length, self.rate, self.mean_span, keys)


class Lengths(NamedTuple):
    source: Whole
    target: Whole


def noise_counts(length: np.ndarray, rate: float, mean_span: float) -> tuple[np.ndarray, np.ndarray]:
    """How many tokens of a text are hidden, and in how many spans."""
    hidden = np.rint(length * rate).clip(1, np.maximum(length - 1, 1)).astype(int)
    spans = np.rint(hidden / mean_span).astype(int).clip(1)
    return hidden, np.minimum(spans, np.maximum(length - hidden, 1))


def corrupted_lengths(raw: int, rate: float, mean_span: float) -> Lengths:
    """Lengths of source and target, with sentinels and the end token."""
    hidden, spans = (int(n) for n in noise_counts(np.array(raw), rate, mean_span))
    return Lengths(raw - hidden + spans + 1, hidden + spans + 1)


def raw_length(length: int, rate: float, mean_span: float) -> int:
    """The longest text whose source is at most `length` tokens. Raises ValueError where there is none."""
    raw = 2
    if corrupted_lengths(raw, rate, mean_span).source > length:
        raise ValueError(f"length={length} is too short for span corruption: at least 4 tokens are needed")
    while corrupted_lengths(raw + 1, rate, mean_span).source <= length:
        raw += 1
    return raw


def span_mask(lengths: np.ndarray, width: int, rate: float, mean_span: float, keys: np.ndarray) -> np.ndarray:
    """(B,) lengths -> (B, L) bool, True where hidden: kept and hidden runs take turns, a kept one first."""
    hidden, spans = noise_counts(lengths, rate, mean_span)
    kept_runs = random_parts(lengths - hidden, spans, width, keys, stream=1)
    hidden_runs = random_parts(hidden, spans, width, keys, stream=2)
    runs = np.stack([kept_runs, hidden_runs], axis=2).reshape(len(keys), -1)
    edges = np.zeros((len(keys), width + 1), dtype=int)
    ends = np.cumsum(runs, axis=1)
    np.add.at(edges, (np.arange(len(keys))[:, None], ends), (runs > 0).astype(int))
    return np.cumsum(edges, axis=1)[:, :width] % 2 == 1


def random_parts(totals: np.ndarray, parts: np.ndarray, width: int, keys: np.ndarray, stream: int) -> np.ndarray:
    """(B,) totals as sums of (B,) positive parts, uniformly at random: (B, most parts), zeros behind the last."""
    slots = np.arange(width)
    places = np.where(slots < totals[:, None] - 1, randomness.uniform(keys, width, stream), np.inf)
    order = np.argsort(places, axis=1)
    rank = np.empty_like(order)
    np.put_along_axis(rank, order, slots[None], axis=1)
    cuts = rank < parts[:, None] - 1  # a part ends behind each of these
    part = np.cumsum(np.pad(cuts, ((0, 0), (1, 0))), axis=1)[:, :width]
    sizes = np.zeros((len(keys), int(parts.max())), dtype=int)
    inside = slots < totals[:, None]
    np.add.at(sizes, (np.nonzero(inside)[0], part[inside]), 1)
    return sizes
