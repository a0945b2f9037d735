"""BERT: a bidirectional transformer that fills in masked tokens and classifies pairs of sentences.

Devlin et al., 2018, https://arxiv.org/abs/1810.04805.
"""

from collections.abc import Callable
from functools import partial
from typing import ClassVar

from torch import nn

from ..layers import (
    ACTIVATIONS,
    Activation,
    Attention,
    Block,
    FeedForward,
    LearnedPositions,
    PooledHead,
    Positions,
    PostNormBlock,
    Sizes,
    TokenEmbedding,
    TokenHead,
    Transformer,
    initialise,
)
from ..ranges import BelowOne, Count, Whole
from .contracts import MaskedLanguageModel


class Bert(MaskedLanguageModel):
    """The defaults are BERT base, uncased (110M)."""

    pair_objective: ClassVar[str | None] = "MaskedTokensAndPairs"

    def __init__(
        self,
        *,
        vocab_size: Count = 30522,
        width: Count = 768,
        depth: Count = 12,
        heads: Count = 12,
        hidden: Count = 3072,
        max_length: Count = 512,
        dropout: BelowOne = 0.1,
        segments: Whole = 2,
        pair_classes: Whole = 2,
        activation: Activation = "gelu",
        positions: Callable[[Sizes], Positions] = LearnedPositions,
        norm: Callable[[int], nn.Module] = partial(nn.LayerNorm, eps=1e-12),
        feed_forward: Callable[..., nn.Module] = FeedForward,
        block: Callable[..., Block] = PostNormBlock,
        attention: Callable[..., Attention] = Attention,
    ):
        super().__init__()
        self.width, self.max_length = width, max_length
        embedding = TokenEmbedding(vocab_size, width, segments=segments)
        self.encoder = Transformer(
            embedding=embedding,
            positions=positions(
                Sizes(width, heads, width // heads, max_length, causal=False, embedding_std=initialise.STD)
            ),
            entry=nn.Sequential(norm(width), nn.Dropout(dropout)),
            blocks=[
                block(
                    width,
                    self_attention=attention(width, heads, dropout=dropout),
                    feed_forward=feed_forward(width, hidden, activation=activation),
                    norm=norm,
                    dropout=dropout,
                )
                for _ in range(depth)
            ],
            final_norm=norm(width),
        )
        self.token_head = TokenHead(
            width,
            vocab_size,
            tied_to=embedding.tokens,
            transform=nn.Sequential(nn.Linear(width, width), ACTIVATIONS[activation](), norm(width)),
            bias=True,
        )
        self.pair_head = PooledHead(width, pair_classes) if pair_classes else None
        initialise.bert(self)
