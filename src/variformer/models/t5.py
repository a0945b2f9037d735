"""T5: an encoder reads a corrupted text, a decoder writes what is missing.

Raffel et al., 2019, https://arxiv.org/abs/1910.10683. Version 1.1 (their released checkpoints of 2020) has gated
feed-forward layers and a head of its own: `T5(tied_head=False, feed_forward=GatedFeedForward, activation="gelu_tanh")`.
"""

from collections.abc import Callable
from functools import partial
from typing import ClassVar

from torch import nn

from ..layers import (
    Activation,
    Attention,
    Block,
    FeedForward,
    Positions,
    PreNormBlock,
    RelativePositions,
    Sizes,
    TokenEmbedding,
    TokenHead,
    Transformer,
    initialise,
    stack,
)
from ..ranges import BelowOne, Count, Positive
from .contracts import EncoderDecoder, SpecialToken


class T5(EncoderDecoder):
    """The defaults are T5 1.0 small (60M). The decoder is as deep as the encoder, or has `decoder_depth` layers.

    `embedding_std` is that of the initial embeddings, and of the first scores. The paper's 1 makes the first loss
    ln(vocabulary) + 1/2 and wants many steps; a short run learns sooner from smaller ones.
    `attention_scale` multiplies the products of queries and keys. The paper's 1 is made for Adafactor, whose steps are
    in proportion to the weights; with steps of one size for every matrix (Muon), about head_width^-1/2 keeps attention
    from saturating.
    """

    objective: ClassVar[str] = "SpanCorruption"
    start_token: ClassVar[SpecialToken] = "pad"

    def __init__(
        self,
        *,
        vocab_size: Count = 32128,
        width: Count = 512,
        depth: Count = 6,
        decoder_depth: Count | None = None,
        heads: Count = 8,
        head_width: Count = 64,
        hidden: Count = 2048,
        max_length: Count = 512,
        dropout: BelowOne = 0.1,
        activation: Activation = "relu",
        tied_head: bool = True,
        embedding_std: Positive = 1.0,
        attention_scale: Positive = 1.0,
        positions: Callable[[Sizes], Positions] = RelativePositions,
        norm: Callable[[int], nn.Module] = partial(nn.RMSNorm, eps=1e-6),
        feed_forward: Callable[..., nn.Module] = FeedForward,
        block: Callable[..., Block] = PreNormBlock,
        attention: Callable[..., Attention] = Attention,
    ):
        super().__init__()
        self.width = width
        new_attention = partial(
            attention, width, heads, head_width=head_width, bias=False, dropout=dropout, scale=attention_scale
        )
        new_feed_forward = partial(feed_forward, width, hidden, activation=activation, bias=False, dropout=dropout)
        embedding = TokenEmbedding(vocab_size, width)

        def half(depth: int, causal: bool, reads_memory: bool) -> Transformer:
            return Transformer(
                embedding=embedding,
                positions=positions(Sizes(width, heads, head_width, max_length, causal, embedding_std)),
                entry=nn.Dropout(dropout),
                blocks=stack(
                    depth,
                    width,
                    block=block,
                    self_attention=new_attention,
                    cross_attention=new_attention if reads_memory else None,
                    feed_forward=new_feed_forward,
                    norm=norm,
                    dropout=dropout,
                ),
                final_norm=nn.Sequential(norm(width), nn.Dropout(dropout)),
                causal=causal,
            )

        self.encoder = half(depth, causal=False, reads_memory=False)
        self.decoder = half(decoder_depth or depth, causal=True, reads_memory=True)
        self.head = TokenHead(
            width,
            vocab_size,
            tied_to=embedding.tokens if tied_head else None,
            scale=width**-0.5 if tied_head else 1.0,
        )
        initialise.t5(self, width, embedding_std)
        if not tied_head:
            nn.init.normal_(self.head.scores.weight, std=embedding_std * width**-0.5)
