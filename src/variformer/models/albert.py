"""ALBERT: one block applied again and again, and token embeddings narrower than the model.

Lan et al., 2019, https://arxiv.org/abs/1909.11942.
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
    stack,
)
from ..ranges import BelowOne, Count, Whole
from .contracts import MaskedLanguageModel


class Albert(MaskedLanguageModel):
    """The defaults are ALBERT base (12M).

    `embedding_width` is that of tokens, segments and positions, which one matrix widens to `width` (section 3.1).
    `groups` blocks share the `depth` layers, each as many of them in a row; the paper's models have one.
    """

    pair_objective: ClassVar[str | None] = "MaskedTokensAndOrder"

    def __init__(
        self,
        *,
        vocab_size: Count = 30000,
        embedding_width: Count = 128,
        width: Count = 768,
        depth: Count = 12,
        groups: Count = 1,
        heads: Count = 12,
        hidden: Count = 3072,
        max_length: Count = 512,
        dropout: BelowOne = 0.1,
        segments: Whole = 2,
        pair_classes: Whole = 2,
        activation: Activation = "gelu_tanh",
        positions: Callable[[Sizes], Positions] = LearnedPositions,
        norm: Callable[[int], nn.Module] = partial(nn.LayerNorm, eps=1e-12),
        feed_forward: Callable[..., nn.Module] = FeedForward,
        block: Callable[..., Block] = PostNormBlock,
        attention: Callable[..., Attention] = Attention,
    ):
        super().__init__()
        self.width = width
        embedding = TokenEmbedding(vocab_size, embedding_width, segments=segments)
        self.encoder = Transformer(
            embedding=embedding,
            positions=positions(
                Sizes(embedding_width, heads, width // heads, max_length, causal=False, embedding_std=initialise.STD)
            ),
            entry=nn.Sequential(norm(embedding_width), nn.Dropout(dropout), nn.Linear(embedding_width, width)),
            blocks=stack(
                groups,
                width,
                block=block,
                self_attention=partial(attention, width, heads, dropout=dropout),
                feed_forward=partial(feed_forward, width, hidden, activation=activation),
                norm=norm,
                dropout=dropout,
            ),
            final_norm=norm(width),
            depth=depth,
        )
        self.token_head = TokenHead(
            embedding_width,
            vocab_size,
            tied_to=embedding.tokens,
            transform=nn.Sequential(
                nn.Linear(width, embedding_width), ACTIVATIONS[activation](), norm(embedding_width)
            ),
            bias=True,
        )
        self.pair_head = PooledHead(width, pair_classes) if pair_classes else None
        initialise.bert(self)
