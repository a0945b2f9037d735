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
    stack,
)
from ..ranges import BelowOne, Count, Whole
from .contracts import MaskedLanguageModel


class Bert(MaskedLanguageModel):
    """The defaults are BERT base, uncased (110M).

    `embedding_width` is that of tokens, segments and positions, which one matrix widens to `width` where it is another
    (ELECTRA; the paper's models have none).
    """

    pair_objective: ClassVar[str | None] = "MaskedTokensAndPairs"

    def __init__(
        self,
        *,
        vocab_size: Count = 30522,
        width: Count = 768,
        embedding_width: Count | None = None,
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
        entered = embedding_width or width
        embedding = TokenEmbedding(vocab_size, entered, segments=segments)
        self.encoder = Transformer(
            embedding=embedding,
            positions=positions(
                Sizes(entered, heads, width // heads, max_length, causal=False, embedding_std=initialise.STD)
            ),
            entry=nn.Sequential(
                norm(entered), nn.Dropout(dropout), *([nn.Linear(entered, width)] if entered != width else [])
            ),
            blocks=stack(
                depth,
                width,
                block=block,
                self_attention=partial(attention, width, heads, dropout=dropout),
                feed_forward=partial(feed_forward, width, hidden, activation=activation),
                norm=norm,
                dropout=dropout,
            ),
            final_norm=norm(width),
        )
        self.pair_head = None
        self.add_heads(embedding.tokens, norm, ACTIVATIONS[activation], pair_classes)

    def add_heads(
        self,
        tokens: nn.Embedding,
        norm: Callable[[int], nn.Module],
        activation: Callable[[], nn.Module],
        pair_classes: int,
    ) -> None:
        """What reads the states, and the initial weights of all; BERT's descendants have other heads."""
        vocab_size, entered = tokens.weight.shape
        transform = nn.Sequential(nn.Linear(self.width, entered), activation(), norm(entered))
        self.token_head = TokenHead(entered, vocab_size, tied_to=tokens, transform=transform, bias=True)
        if pair_classes:
            self.pair_head = PooledHead(self.width, pair_classes)
        initialise.bert(self)
