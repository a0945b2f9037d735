"""UL2's mixture of denoisers: short spans, the end of a text, or much of it are hidden, and a token says which.

Tay et al., 2022, "UL2: Unifying Language Learning Paradigms", section 3.1 and table 1.
"""

from collections.abc import Sequence
from typing import Literal, NamedTuple

import numpy as np
import torch
import torch.nn.functional as F
from torch import nn

from .. import randomness
from ..ranges import Count, Fraction, OneOrMore
from ..samples import Vocabulary, Window
from .masked_tokens import mean
from .objective import Batch, Ratio, Scores
from .span_corruption import Denoising, corrupted_lengths, noise_counts, raw_length, span_mask

# Shapes: B batch, L raw tokens, S source tokens, T target tokens.

Mode = Literal["R", "S", "X"]
Denoiser = tuple[Mode, Fraction, OneOrMore | None]
MODES = {"R": "regular", "S": "sequential", "X": "extreme"}
PUBLISHED: Sequence[Denoiser] = (
    *(("R", 0.15, 3.0), ("R", 0.15, 8.0), ("S", 0.25, None)),
    *(("X", 0.5, 3.0), ("X", 0.5, 8.0), ("X", 0.15, 64.0), ("X", 0.5, 64.0)),
)


class Noise(NamedTuple):
    mode: int  # its number in MODES
    rate: float
    mean_span: float


class MixtureOfDenoisers(Denoising):
    """Each sample is noised by one of `denoisers`, all equally often: (mode, rate, mean span).

    A mean span of None is a single one at the end of the text, which the model goes on writing (a prefix language
    model). The paper's mode tokens [R], [S] and [X] are the tokenizer's last three sentinels, before the source. Texts
    are as long as every denoiser can take; a source or target that is shorter than the longest is padded.
    """

    def __init__(self, vocabulary: Vocabulary, length: Count, *, denoisers: Sequence[Denoiser] = PUBLISHED):
        super().__init__(vocabulary, length)
        if not denoisers:
            raise ValueError("objective.denoisers is empty: give at least one, such as [R, 0.15, 3.0]")
        self.noises = [Noise(list(MODES).index(mode), rate, span or np.inf) for mode, rate, span in denoisers]
        self.raw_length = min(raw_length(length - 1, rate, span) for _, rate, span in self.noises)
        lengths = [corrupted_lengths(self.raw_length, rate, span) for _, rate, span in self.noises]
        self.target_length = max(each.target for each in lengths)
        spans = max(int(noise_counts(np.array(self.raw_length), rate, span)[1]) for _, rate, span in self.noises)
        self.mode_tokens = vocabulary.sentinels[-len(MODES) :]
        self.require_sentinels(spans, len(vocabulary.sentinels) - len(MODES))

    def noise_of(self, keys: np.ndarray) -> np.ndarray:
        """(B,) keys -> (B,): which denoiser each sample has."""
        return randomness.integers(keys, 1, len(self.noises), stream=7)[:, 0]

    def mode_of(self, keys: np.ndarray) -> np.ndarray:
        """(B,) keys -> (B,): the number of its mode."""
        return np.array([noise.mode for noise in self.noises])[self.noise_of(keys)]

    def hide(self, lengths: np.ndarray, keys: np.ndarray) -> np.ndarray:
        chosen = self.noise_of(keys)
        hidden = np.zeros((len(keys), self.raw_length), dtype=bool)
        for number in np.unique(chosen):
            rows, (_, rate, span) = chosen == number, self.noises[number]
            hidden[rows] = span_mask(lengths[rows], self.raw_length, rate, span, keys[rows])
        return hidden

    def finished(self, source: np.ndarray, keys: np.ndarray) -> np.ndarray:
        """The token of the mode stands before the source, whose last place is free."""
        return np.concatenate([self.mode_tokens[self.mode_of(keys)][:, None], source[:, :-1]], axis=1)

    def collate(self, samples: list[Window], keys: np.ndarray, train: bool) -> Batch:
        """As in span corruption, and "modes", (B,)."""
        return {**super().collate(samples, keys, train), "modes": torch.from_numpy(self.mode_of(keys))}

    def forward(self, model: nn.Module, batch: Batch) -> Scores:
        scores, targets = model(batch["source"], batch["inputs"], source_mask=batch["source_mask"]), batch["targets"]
        nats = F.cross_entropy(scores.flatten(0, 1).float(), targets.flatten(), reduction="none").view_as(targets)
        real, hits = targets >= 0, scores.argmax(-1) == targets
        ratios = {"loss": Ratio(nats.sum(), real.sum()), "accuracy": Ratio(hits.sum(), real.sum())}
        for number, name in enumerate(MODES.values()):
            rows = real & (batch["modes"] == number)[:, None]
            ratios[f"{name}_loss"] = Ratio((nats.detach() * rows).sum(), rows.sum())
        return Scores(mean(ratios["loss"]), ratios, real.sum())
