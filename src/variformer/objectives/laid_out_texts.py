"""Texts, or pairs of them, as a head for a task reads them: between the tokenizer's special tokens, and padded."""

from collections.abc import Sequence
from typing import ClassVar, TypeVar

import numpy as np
import torch

from ..ranges import Count
from ..samples import LabelledTexts, RatedText, TextExample
from .objective import Batch, ExampleObjective
from .padding import padded

SampleT = TypeVar("SampleT", TextExample, RatedText)

# Shapes: B batch, T tokens.


class LaidOutTexts(ExampleObjective[SampleT]):
    """A task on whole texts, for a head that gives one answer to each.

    The special tokens are those that transformers puts around them with the same tokenizer: [CLS] text [SEP] pair [SEP]
    for BERT, text </s> for T5, and none for GPT. Raises ValueError where `length` leaves no room for a text.
    """

    trains: ClassVar = "sequence classifier"

    def __init__(self, data: LabelledTexts, length: Count):
        super().__init__(data, length)
        data.require("text", reader=self)
        self.layout = data.tokenizer.layout("pair" in data.fields)
        self.pad = data.tokenizer.pad or 0  # what stands there is masked
        specials = len(self.layout.before) + len(self.layout.between) + len(self.layout.after)
        self.room = length - specials  # tokens of the texts
        if self.room < 1:
            raise ValueError(f"length={length} leaves no room for a text beside {specials} special tokens")

    def inputs(self, samples: Sequence[SampleT]) -> Batch:
        """-> tokens (B, T); the mask, True where they are real, or None; segments (B, T), or None; the count."""
        layout = self.layout
        texts = [np.concatenate([layout.before, each["text"], layout.between]) for each in samples]
        pairs = [
            np.concatenate([each["pair"], layout.after]) if each["pair"] is not None else np.array(layout.after)
            for each in samples
        ]
        both = [np.concatenate(each).astype(np.int64) for each in zip(texts, pairs, strict=True)]
        tokens = padded(both, self.pad, self.multiple, self.length)
        places, lengths = np.arange(tokens.shape[1]), np.array([len(each) for each in both])[:, None]
        real = places < lengths
        second = real & (places >= np.array([len(each) for each in texts])[:, None])
        segments = torch.from_numpy(second * layout.segment) if layout.segment else None
        return {
            "tokens": torch.from_numpy(tokens),
            "mask": None if real.all() else torch.from_numpy(real),
            "segments": segments,
            "count": len(samples),
        }
