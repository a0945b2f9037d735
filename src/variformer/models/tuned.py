"""Models for a task: a pre-trained body, whose own heads come off, under a head for the task.

All take (B, T) tokens, a mask that is True where they are real, and segments, which only BERT and ALBERT tell apart.
Dropout stands before the scores alone; transformers' heads of RoBERTa, T5 and BART have it before the hidden layer too.
"""

from collections.abc import Callable
from typing import ClassVar, NamedTuple

import torch
from torch import Tensor, nn

from ..layers import PooledHead, initialise
from ..ranges import BelowOne, Count, Whole
from .contracts import EncoderDecoder, TextModel

# Shapes: B batch, T tokens, D the body's width.


class Spans(NamedTuple):
    start: Tensor  # (B, T), the score of each position to be an answer's first token
    end: Tensor  # (B, T), to be its last


class Tuned(nn.Module):
    """A head for a task on a pre-trained `body`, whose own heads are removed. A new head may keep their pooler."""

    kind: ClassVar[str]  # which objectives train it
    task: ClassVar[str]  # how the names of transformers' classes for the task end, behind "For"
    pipeline: ClassVar[str]  # what Hugging Face's hub calls the task
    kept: ClassVar[tuple[str, ...]] = ()  # of the body's heads, which this head reads
    scores: ClassVar[str | None] = "head"  # the layer that has a row for each class, where there are classes
    head: nn.Module

    def __init__(self, body: TextModel):
        super().__init__()
        if not hasattr(body, "states"):
            name = type(body).__name__
            raise ValueError(f"{type(self).__name__} reads the states of tokens, and {name} has none; set head=none")
        self.body = body
        for name in body.head_names:
            if name not in self.kept and hasattr(body, name):
                delattr(body, name)

    def states(self, tokens: Tensor, mask: Tensor | None = None, segments: Tensor | None = None) -> Tensor:
        """(B, T) -> (B, T, D), what the head reads."""
        return self.body.states(tokens, mask, segments)


def require_whole_text(head: nn.Module, body: TextModel) -> None:
    """Raises ValueError where the body's first token has not read the others."""
    if getattr(body, "causal", False):
        raise ValueError(
            f"{type(head).__name__} reads the first token, and this {type(body).__name__}'s first token has read "
            "nothing; set head=last_token"
        )


class SequenceClassifier(Tuned):
    """The first token's state, pooled -> a class: BERT (Devlin et al., 2018, section 4.1), RoBERTa and ALBERT.

    DistilBERT's code has `activation=nn.ReLU`. The pooler of a body's pair head becomes this head's.
    """

    kind: ClassVar = "sequence classifier"
    task: ClassVar = "SequenceClassification"
    pipeline: ClassVar = "text-classification"
    scores: ClassVar = "head.scores"

    def __init__(
        self,
        body: TextModel,
        classes: Count,
        dropout: BelowOne = 0.1,
        activation: Callable[[], nn.Module] = nn.Tanh,
    ):
        require_whole_text(self, body)
        pair_head = getattr(body, "pair_head", None)
        super().__init__(body)
        self.head = PooledHead(self.body.width, classes, activation=activation, dropout=dropout)
        initialise.bert(self.head)
        if pair_head is not None:
            self.head.pool = pair_head.pool

    def forward(self, tokens: Tensor, mask: Tensor | None = None, segments: Tensor | None = None) -> Tensor:
        """-> (B, classes)."""
        return self.head(self.states(tokens, mask, segments)[:, 0])


class FirstTokenClassifier(Tuned):
    """The first token's state -> a class: ModernBERT, which has the pooler of others below every head."""

    kind: ClassVar = "sequence classifier"
    task: ClassVar = "SequenceClassification"
    pipeline: ClassVar = "text-classification"

    def __init__(self, body: TextModel, classes: Count, dropout: BelowOne = 0.0):
        require_whole_text(self, body)
        super().__init__(body)
        self.dropout = nn.Dropout(dropout)
        self.head = nn.Linear(self.body.width, classes)
        initialise.bert(self.head)

    def forward(self, tokens: Tensor, mask: Tensor | None = None, segments: Tensor | None = None) -> Tensor:
        """-> (B, classes)."""
        return self.head(self.dropout(self.states(tokens, mask, segments)[:, 0]))


class LastTokenClassifier(Tuned):
    """The last real token's state -> a class: GPT, whose other tokens have not read the whole text."""

    kind: ClassVar = "sequence classifier"
    task: ClassVar = "SequenceClassification"
    pipeline: ClassVar = "text-classification"

    def __init__(self, body: TextModel, classes: Count):
        super().__init__(body)
        self.head = nn.Linear(self.body.width, classes, bias=False)
        initialise.bert(self.head)

    def forward(self, tokens: Tensor, mask: Tensor | None = None, segments: Tensor | None = None) -> Tensor:
        """-> (B, classes)."""
        real = torch.ones_like(tokens, dtype=torch.bool) if mask is None else mask
        return self.head(last(self.states(tokens, mask, segments), real))


class TokenClassifier(Tuned):
    """Each token's state -> a class (BERT, section 5.3)."""

    kind: ClassVar = "token classifier"
    task: ClassVar = "TokenClassification"
    pipeline: ClassVar = "token-classification"

    def __init__(self, body: TextModel, classes: Count, dropout: BelowOne = 0.1):
        super().__init__(body)
        self.dropout = nn.Dropout(dropout)
        self.head = nn.Linear(self.body.width, classes)
        initialise.bert(self.head)

    def forward(self, tokens: Tensor, mask: Tensor | None = None, segments: Tensor | None = None) -> Tensor:
        """-> (B, T, classes)."""
        return self.head(self.dropout(self.states(tokens, mask, segments)))


class SpanFinder(Tuned):
    """Each token's state -> how likely an answer starts, and ends, there (BERT, section 4.2)."""

    kind: ClassVar = "span finder"
    task: ClassVar = "QuestionAnswering"
    pipeline: ClassVar = "question-answering"
    scores: ClassVar = None

    def __init__(self, body: TextModel):
        super().__init__(body)
        self.head = nn.Linear(self.body.width, 2)
        initialise.bert(self.head)

    def forward(self, tokens: Tensor, mask: Tensor | None = None, segments: Tensor | None = None) -> Spans:
        """-> (B, T) twice. Padding has scores too: leave it out when you pick the best."""
        return Spans(*self.head(self.states(tokens, mask, segments)).unbind(-1))


class Rereading(Tuned):
    """The decoder reads the text once more, shifted right behind `start` (BART, Lewis et al., 2019, section 3)."""

    kept: ClassVar[tuple[str, ...]] = ("decoder",)
    otherwise: ClassVar[str]  # the option of conf/head for other bodies
    body: EncoderDecoder

    def __init__(self, body: EncoderDecoder, start: Whole):
        if not (hasattr(body, "encode") and hasattr(body, "decoder")):
            raise ValueError(
                f"{type(self).__name__} rereads the text in a decoder behind an encoder, and {type(body).__name__} "
                f"has not both; set head={self.otherwise}"
            )
        super().__init__(body)
        self.start = start

    def states(self, tokens: Tensor, mask: Tensor | None = None, segments: Tensor | None = None) -> Tensor:
        """(B, T) -> (B, T, D) of the decoder. As in transformers, no padding is masked: on the right it is unseen."""
        again = tokens.roll(1, 1)
        again[:, 0] = self.start
        return self.body.decoder(again, memory=self.body.encode(tokens, mask), memory_mask=mask)


class EndTokenClassifier(Rereading):
    """The decoder's state at the last `end` token, pooled -> a class: BART (section 3.1) and T5.

    Every text needs such a token. T5's paper has no such head, but writes the class's name; this is transformers'.
    """

    otherwise: ClassVar = "first_token, or last_token for a decoder"
    kind: ClassVar = "sequence classifier"
    task: ClassVar = "SequenceClassification"
    pipeline: ClassVar = "text-classification"
    scores: ClassVar = "head.scores"

    def __init__(self, body: EncoderDecoder, classes: Count, start: Whole, end: Whole, dropout: BelowOne = 0.1):
        super().__init__(body, start)
        self.end = end
        self.head = PooledHead(self.body.width, classes, dropout=dropout)
        initialise.bert(self.head)

    def forward(self, tokens: Tensor, mask: Tensor | None = None, segments: Tensor | None = None) -> Tensor:
        """-> (B, classes)."""
        return self.head(last(self.states(tokens, mask, segments), tokens == self.end))


class RereadSpanFinder(Rereading):
    """The decoder's states -> where an answer starts and ends: BART (section 3.2) and T5, as in transformers."""

    otherwise: ClassVar = "span"
    kind: ClassVar = "span finder"
    task: ClassVar = "QuestionAnswering"
    pipeline: ClassVar = "question-answering"
    scores: ClassVar = None

    def __init__(self, body: EncoderDecoder, start: Whole):
        super().__init__(body, start)
        self.head = nn.Linear(self.body.width, 2)
        initialise.bert(self.head)

    def forward(self, tokens: Tensor, mask: Tensor | None = None, segments: Tensor | None = None) -> Spans:
        """-> (B, T) twice."""
        return Spans(*self.head(self.states(tokens, mask, segments)).unbind(-1))


def last(states: Tensor, where: Tensor) -> Tensor:
    """(B, T, D), (B, T) bool -> (B, D): the state of each row's last True position."""
    places = torch.arange(where.size(1), device=where.device) * where
    return states[torch.arange(states.size(0), device=states.device), places.argmax(1)]
