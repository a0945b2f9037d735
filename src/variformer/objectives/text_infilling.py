"""BART's denoising: the encoder reads a text with gaps and its sentences shuffled, the decoder writes the original.

Lewis et al., 2019, section 2.2 (text infilling, sentence permutation) and section 5.1 (how much of both).
"""

from typing import ClassVar

import numpy as np
import torch
import torch.nn.functional as F
from torch import nn

from .. import randomness
from ..ranges import Count, Fraction, Positive
from ..samples import SentenceRow, TextSplit, View, Vocabulary, required
from .masked_tokens import mean
from .objective import Batch, Ratio, Scores, TextObjective

# Shapes: B batch, L tokens of text, S = T = L + 2 source and target tokens, K spans.

MASK, PADDING = -2, -1  # what stands in a source where no token of the text does


class TextInfilling(TextObjective[SentenceRow]):
    """Spans of Poisson(`mean_span`) tokens, `rate` of all tokens together, each become a single mask token.

    A span of no tokens inserts a mask. With `permute_sentences` the sentences of each document are shuffled before.
    Both sides are [start] text [end]; the decoder's input is its target moved by one, behind another `end`, as in the
    reference code (fairseq). `hidden_loss` and `hidden_accuracy` are those of the tokens that the encoder cannot see.
    """

    trains: ClassVar = "encoder-decoder"

    def __init__(
        self,
        vocabulary: Vocabulary,
        length: Count,
        *,
        rate: Fraction = 0.3,
        mean_span: Positive = 3.0,
        permute_sentences: bool = True,
    ):
        super().__init__(vocabulary, length)
        if not 0 < rate < 1 or mean_span <= 0:
            raise ValueError(f"objective.rate={rate} must lie in (0, 1), and mean_span={mean_span} be positive")
        self.rate, self.mean_span, self.permute_sentences = rate, mean_span, permute_sentences
        self.pad, self.mask, self.start, self.end = (
            required(vocabulary, name, self) for name in ("pad", "mask", "start", "end")
        )

    def view(self, data: TextSplit) -> View[SentenceRow]:
        return data.whole_sentences(self.length - 2)

    def collate(self, samples: list[SentenceRow], keys: np.ndarray, train: bool) -> Batch:
        """-> source, (B, S); decoder inputs, targets and which of them are hidden, (B, T)."""
        tokens, document, sentence = (
            np.stack(columns)
            for columns in zip(*((each["tokens"], each["document"], each["sentence"]) for each in samples), strict=True)
        )
        real = tokens >= 0
        origin = infill(real.sum(1), tokens.shape[1], self.rate, self.mean_span, keys)
        if self.permute_sentences:
            order = shuffle_sentences(document, sentence, keys)
            origin = np.where(origin >= 0, np.take_along_axis(order, origin.clip(min=0), 1), origin)
        shown = np.take_along_axis(tokens, origin.clip(min=0), 1)
        source = self.surround(np.where(origin == MASK, self.mask, np.where(origin == PADDING, -1, shown)))
        target = self.surround(tokens)
        seen = source != self.pad
        return {
            "source": torch.from_numpy(source),
            "source_mask": None if seen.all() else torch.from_numpy(seen),
            "inputs": torch.from_numpy(np.pad(target[:, :-1], ((0, 0), (1, 0)), constant_values=self.end)),
            "targets": torch.from_numpy(np.where(target == self.pad, -100, target)),
            "hidden": torch.from_numpy(np.pad(real & ~occurring(origin), ((0, 0), (1, 1)))),
            "count": int(seen.sum() + (target != self.pad).sum()),
        }

    def surround(self, tokens: np.ndarray) -> np.ndarray:
        """(B, L), -1 behind the last token -> [start] tokens [end] and padding, (B, L + 2)."""
        text = np.pad(tokens, ((0, 0), (1, 1)), constant_values=-1)
        text[:, 0] = self.start
        text[np.arange(len(text)), (tokens >= 0).sum(1) + 1] = self.end
        return np.where(text < 0, self.pad, text)

    def forward(self, model: nn.Module, batch: Batch) -> Scores:
        scores = model(batch["source"], batch["inputs"], source_mask=batch["source_mask"]).flatten(0, 1)
        targets, hidden = batch["targets"].flatten(), batch["hidden"].flatten()
        nats = F.cross_entropy(scores.float(), targets, reduction="none")
        hits = scores.argmax(-1) == targets
        every, some = (targets >= 0).sum(), hidden.sum()
        ratios = {
            "loss": Ratio(nats.sum(), every),
            "accuracy": Ratio(hits.sum(), every),
            "hidden_loss": Ratio((nats.detach() * hidden).sum(), some),
            "hidden_accuracy": Ratio((hits & hidden).sum(), some),
        }
        return Scores(mean(ratios["loss"]), ratios, every)


def infill(lengths: np.ndarray, width: int, rate: float, mean_span: float, keys: np.ndarray) -> np.ndarray:
    """(B,) lengths of texts -> (B, L): the index of the token that stands at each place of the source, MASK or PADDING.

    Masks, and the tokens that stay, are in random order: so each way to place the spans is equally likely.
    """
    sizes = in_random_order(span_sizes(np.rint(lengths * rate).clip(1), mean_span, keys), keys)
    masks = (sizes >= 0).sum(1, keepdims=True)
    slots = lengths[:, None] - sizes.clip(min=0).sum(1, keepdims=True) + masks
    columns = np.arange(width)
    order = np.where(columns < slots, randomness.uniform(keys, width, stream=2), np.inf)
    rank = np.argsort(np.argsort(order, axis=1), axis=1)
    is_mask = rank < masks
    number = np.cumsum(is_mask, axis=1) - 1
    taken = np.where(is_mask, np.take_along_axis(sizes, number.clip(min=0), 1), 1)  # tokens behind each slot
    places = np.where(is_mask, MASK, np.cumsum(taken, axis=1) - 1)
    return np.where(columns < slots, places, PADDING)


def span_sizes(budget: np.ndarray, mean_span: float, keys: np.ndarray) -> np.ndarray:
    """(B,) tokens to hide -> (B, K): sizes of spans that sum up to it, in random order, then -1.

    Random sizes are taken until the budget is spent, and the last one is cut. There are no more spans than hidden
    tokens, so that no source is longer than its text: further empty spans are left out.
    """
    count = int(np.ceil(2 * (budget.max() + 10) / mean_span))  # as good as always enough
    random = poisson(randomness.uniform(keys, count, stream=1), mean_span)
    left = budget[:, None] - (np.cumsum(random, axis=1) - random)
    sizes = np.where(left > 0, np.minimum(random, left), -1).astype(int)
    empty = sizes == 0
    room = (sizes - 1).clip(min=0).sum(1, keepdims=True)  # hidden tokens - spans that hide some
    sizes[empty & (np.cumsum(empty, axis=1) > room)] = -1
    return np.take_along_axis(sizes, np.argsort(sizes < 0, axis=1, kind="stable"), 1)


def in_random_order(sizes: np.ndarray, keys: np.ndarray) -> np.ndarray:
    """(B, K) sizes, then -1 -> the same in random order. Otherwise the last mask would always be the cut span."""
    order = np.where(sizes >= 0, randomness.uniform(keys, sizes.shape[1], stream=4), np.inf)
    return np.take_along_axis(sizes, np.argsort(order, axis=1, kind="stable"), 1)


def poisson(uniform: np.ndarray, mean: float) -> np.ndarray:
    """Uniform numbers in [0, 1) -> numbers that follow Poisson's law."""
    most = int(mean + 12 * mean**0.5 + 20)
    probabilities = np.exp(-mean) * np.cumprod(np.append(1.0, mean / np.arange(1, most)))
    return np.searchsorted(np.cumsum(probabilities), uniform, side="right")


def shuffle_sentences(document: np.ndarray, sentence: np.ndarray, keys: np.ndarray) -> np.ndarray:
    """(B, L) running numbers -> (B, L) indices: each document's sentences in random order behind its separator.

    Documents keep their places. A separator's sentence is -1, and so is padding's document.
    """
    local = (sentence - sentence[:, :1]).clip(min=0)
    order = np.take_along_axis(randomness.uniform(keys, sentence.shape[1], stream=3), local, 1)
    last = document.max() + 1
    return np.lexsort((np.where(sentence < 0, -1, order), np.where(document < 0, last, document)), axis=-1)


def occurring(origin: np.ndarray) -> np.ndarray:
    """(B, L) bool: which tokens of the text stand anywhere in the source."""
    found = np.zeros((len(origin), origin.shape[1] + 1), dtype=bool)
    np.put_along_axis(found, np.where(origin >= 0, origin, origin.shape[1]), True, axis=1)
    return found[:, :-1]
