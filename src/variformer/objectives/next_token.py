"""Causal language modelling (GPT): each token is predicted from those before it.

Radford et al., 2018, "Improving Language Understanding by Generative Pre-Training", section 3.1.
"""

import math
from typing import ClassVar

import numpy as np
import torch
import torch.nn.functional as F
from torch import nn

from ..ranges import Count
from ..samples import TextSplit, View, Vocabulary, Window, required
from .masked_tokens import mean
from .objective import Batch, Ratio, Scores, TextObjective

# Shapes: B batch, T tokens of a window, V vocabulary.


class NextToken(TextObjective[Window]):
    """Packed windows of `length` tokens, each target used once; documents follow one another behind an `end` token.

    With `isolate_documents` no token attends across the start of its document; GPT-2 and GPT-3 let it.
    Reports bits per byte where the tokenizer knows how many bytes each token stands for.
    """

    trains: ClassVar = "causal decoder"
    answers: ClassVar = True  # -100 is no label: ignore_index of torchmetrics

    def __init__(self, vocabulary: Vocabulary, length: Count, *, isolate_documents: bool = False):
        super().__init__(vocabulary, length)
        self.isolate_documents = isolate_documents
        self.filler = required(vocabulary, "end", self)

    def view(self, data: TextSplit) -> View[Window]:
        return data.windows(self.length + 1, stride=self.length)

    def collate(self, samples: list[Window], keys: np.ndarray, train: bool) -> Batch:
        """Windows of T + 1 -> tokens and targets, (B, T); targets past the end of the text are -100."""
        windows = np.stack([sample["tokens"] for sample in samples])
        inputs, targets = windows[:, :-1], windows[:, 1:]
        real = targets >= 0
        batch: Batch = {
            "tokens": torch.from_numpy(np.where(inputs < 0, self.filler, inputs)),
            "targets": torch.from_numpy(np.where(real, targets, -100)),
            "count": int(real.sum()),
        }
        if self.vocabulary.byte_lengths is not None:
            batch["bytes"] = torch.tensor(int(self.vocabulary.byte_lengths[targets[real]].sum()))
        if self.isolate_documents:
            documents = torch.from_numpy(np.stack([sample["document"] for sample in samples])[:, :-1])
            batch["mask"] = documents[:, :, None] == documents[:, None, :]
        return batch

    def forward(self, model: nn.Module, batch: Batch) -> Scores:
        scores = model(batch["tokens"], mask=batch.get("mask"))
        nats = F.cross_entropy(scores.flatten(0, 1).float(), batch["targets"].flatten(), reduction="sum")
        count = (batch["targets"] >= 0).sum()
        ratios = {"loss": Ratio(nats, count)}
        if "bytes" in batch:
            ratios["bits_per_byte"] = Ratio(nats / math.log(2), batch["bytes"])
        answers = None if self.training else (scores.flatten(0, 1), batch["targets"].flatten())
        return Scores(mean(ratios["loss"]), ratios, count, answers)

    def derive(self, means: dict[str, float]) -> dict[str, float]:
        return {"perplexity": math.exp(min(means["loss"], 700.0))}  # e^700 is near the largest float
