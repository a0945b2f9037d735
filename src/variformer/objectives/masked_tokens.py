"""Masked language modelling (BERT, RoBERTa): hidden tokens are predicted from both sides.

Devlin et al., 2018, section 3.1 (task 1) and appendix A.1; Liu et al., 2019, section 4.1 (fresh masks in every epoch).
"""

from typing import ClassVar, Protocol, TypedDict

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ..ranges import Count, Fraction, Probability
from ..samples import TextSplit, View, Vocabulary, Window, required
from . import masking
from .objective import Batch, Ratio, SampleT, Scores, TextObjective

# Shapes: B batch, T tokens, N predicted positions in the batch.


class TokenScores(Protocol):
    """What a model with a token head returns."""

    @property
    def tokens(self) -> Tensor:
        """(N, V) scores of the positions that `predict` asks for."""
        ...

    @property
    def pair(self) -> Tensor | None:
        """(B, 2) scores: class 0 where the second segment follows the first. None: the model has no such head."""
        ...


class MaskingArguments(TypedDict, total=False):
    """The arguments of `TokenMasking` that its subclasses pass on."""

    rate: Fraction
    fixed_count: bool
    whole_words: bool
    ngrams: Count


class TokenMasking(TextObjective[SampleT]):
    """`rate` of the tokens are chosen; of these `masked` are hidden, `replaced` changed at random, the rest kept.

    Special tokens and padding are never chosen, and replacements are never special. With `fixed_count`, as in BERT,
    each sequence has exactly that part of its tokens chosen and batches have static shapes; without it each token is
    chosen independently. With `whole_words` the pieces of a word are chosen together. With `ngrams` > 1, up to that
    many tokens (or words) in a row are chosen together: n of them with a probability in proportion to 1/n (Lan et al.,
    2019, section 4.1).
    """

    trains: ClassVar = "encoder with a token head"

    def __init__(
        self,
        vocabulary: Vocabulary,
        length: Count,
        *,
        rate: Fraction = 0.15,
        masked: Probability = 0.8,
        replaced: Probability = 0.1,
        fixed_count: bool = True,
        whole_words: bool = False,
        ngrams: Count = 1,
    ):
        super().__init__(vocabulary, length)
        if not 0 < rate < 1 or masked + replaced > 1:
            raise ValueError(f"objective.rate={rate} must lie in (0, 1), and masked + replaced must not exceed 1")
        if ngrams < 1:
            raise ValueError(f"objective.ngrams={ngrams} must be at least 1: the most tokens or words to hide in a row")
        self.rate, self.masked, self.replaced = rate, masked, replaced
        self.fixed_count, self.whole_words, self.ngrams = fixed_count, whole_words, ngrams
        self.ordinary = np.flatnonzero(~vocabulary.special)
        self.pad, self.mask, self.start, self.end = (
            required(vocabulary, name, self) for name in ("pad", "mask", "start", "end")
        )

    def assemble(self, samples: list[SampleT]) -> dict[str, np.ndarray]:
        """What the model reads, before anything is hidden: "tokens", (B, T), and what else belongs to each row."""
        raise NotImplementedError

    def collate(self, samples: list[SampleT], keys: np.ndarray, train: bool) -> Batch:
        """-> tokens, (B, T), and the positions (N,) to predict with their targets (N,)."""
        arrays = self.assemble(samples)
        tokens = arrays["tokens"]
        chosen = self.choose(tokens, keys)
        count = max(1, round(self.rate * self.length)) if self.fixed_count else None
        places, valid = masking.positions(chosen, count)
        arrays["tokens"] = masking.corrupt(
            tokens, chosen, keys, mask=self.mask, ordinary=self.ordinary, masked=self.masked, replaced=self.replaced
        )
        real = tokens != self.pad
        return {
            **{name: torch.from_numpy(array) for name, array in arrays.items()},
            "mask": None if real.all() else torch.from_numpy(real),
            "predict": torch.from_numpy(places),
            "targets": torch.from_numpy(np.where(valid, tokens.ravel()[places], -100)),
            "count": int(real.sum()),
        }

    def choose(self, tokens: np.ndarray, keys: np.ndarray) -> np.ndarray:
        """(B, T) bool: which tokens to predict."""
        special = self.vocabulary.special[tokens]
        begins = ~self.vocabulary.continues_word[tokens] if self.whole_words else np.ones_like(special)
        words = (np.cumsum(begins, axis=1) - 1).clip(min=0)
        runs = masking.ngrams(words, special, self.ngrams, keys) if self.ngrams > 1 else words
        if self.fixed_count:
            return masking.choose_count(~special, self.rate, keys, words, runs)
        return masking.choose(~special, self.rate, keys, runs)

    def forward(self, model: nn.Module, batch: Batch) -> Scores:
        return self.score(model(**self.inputs(batch)), batch)

    def inputs(self, batch: Batch) -> dict[str, Tensor | None]:
        """What of a batch the model reads."""
        return {name: batch.get(name) for name in ("tokens", "mask", "segments", "predict")}

    def score(self, predictions: TokenScores, batch: Batch) -> Scores:
        ratios = token_ratios(predictions.tokens, batch["targets"])
        return Scores(mean(ratios["masked_loss"]), ratios, ratios["masked_loss"].count)

    def derive(self, means: dict[str, float]) -> dict[str, float]:
        return {"loss": sum(value for name, value in means.items() if name.endswith("_loss"))}


class MaskedTokens(TokenMasking[Window]):
    """[start] window [end], of which some tokens are to be predicted; see `TokenMasking`."""

    def view(self, data: TextSplit) -> View[Window]:
        return data.windows(self.length - 2)

    def assemble(self, samples: list[Window]) -> dict[str, np.ndarray]:
        """[start] window [end], padded: "tokens", (B, T)."""
        tokens = np.full((len(samples), self.length), self.pad)
        tokens[:, 0] = self.start
        tokens[:, 1:-1] = np.stack([sample["tokens"] for sample in samples])
        ends = (tokens >= 0).cumprod(1).sum(1).clip(max=self.length - 1)
        tokens[tokens < 0] = self.pad
        tokens[:, -1] = self.pad
        tokens[np.arange(len(tokens)), ends] = self.end
        return {"tokens": tokens}


def token_ratios(scores: Tensor, targets: Tensor) -> dict[str, Ratio]:
    """Nats and hits of (N, V) scores, over the targets that are not -100."""
    count = (targets >= 0).sum()
    nats = F.cross_entropy(scores.float(), targets, reduction="sum")
    hits = (scores.argmax(-1) == targets).sum()
    return {"masked_loss": Ratio(nats, count), "masked_accuracy": Ratio(hits, count)}


def mean(ratio: Ratio) -> Tensor:
    """Total over count; zero, not NaN, where there was nothing to count."""
    return ratio.total / ratio.count.clamp(min=1)
