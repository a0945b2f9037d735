"""BART: BERT's encoder and GPT's decoder, trained together to undo noise.

Lewis et al., 2019, https://arxiv.org/abs/1910.13461.
"""

from collections.abc import Callable
from functools import partial
from typing import ClassVar

import torch
from torch import Tensor, nn

from ..layers import (
    Activation,
    Attention,
    Block,
    Cache,
    FeedForward,
    LearnedPositions,
    Positions,
    PostNormBlock,
    Sizes,
    TokenEmbedding,
    TokenHead,
    Transformer,
    initialise,
    stack,
)
from ..ranges import BelowOne, Count
from .contracts import EncoderDecoder, SpecialToken


class Bart(EncoderDecoder):
    """The defaults are BART base (139M). The decoder is as deep as the encoder, or has `decoder_depth` layers.

    Positions start at 2, a leftover of the reference code (fairseq). `score_bias` is added to the scores and never
    trained: the paper has none, but Hugging Face's checkpoints do (all zero, for tokens added later).
    """

    objective: ClassVar[str] = "TextInfilling"
    start_token: ClassVar[SpecialToken] = "end"
    source_token: ClassVar[SpecialToken | None] = "start"
    last_token: ClassVar[SpecialToken | None] = "end"
    head_names: ClassVar[tuple[str, ...]] = ("decoder", "head", "score_bias")
    score_bias: Tensor  # (V,)

    def __init__(
        self,
        *,
        vocab_size: Count = 50265,
        width: Count = 768,
        depth: Count = 6,
        decoder_depth: Count | None = None,
        heads: Count = 12,
        hidden: Count = 3072,
        max_length: Count = 1024,
        dropout: BelowOne = 0.1,
        activation: Activation = "gelu",
        positions: Callable[[Sizes], Positions] = partial(LearnedPositions, offset=2),
        norm: Callable[[int], nn.Module] = partial(nn.LayerNorm, eps=1e-5),
        feed_forward: Callable[..., nn.Module] = FeedForward,
        block: Callable[..., Block] = PostNormBlock,
        attention: Callable[..., Attention] = Attention,
    ):
        super().__init__()
        self.width = width
        embedding = TokenEmbedding(vocab_size, width)
        new_attention = partial(attention, width, heads, dropout=dropout)

        def half(depth: int, causal: bool, reads_memory: bool) -> Transformer:
            return Transformer(
                embedding=embedding,
                positions=positions(Sizes(width, heads, width // heads, max_length, causal, initialise.STD)),
                entry=nn.Sequential(norm(width), nn.Dropout(dropout)),
                blocks=stack(
                    depth,
                    width,
                    block=block,
                    self_attention=new_attention,
                    cross_attention=new_attention if reads_memory else None,
                    feed_forward=partial(feed_forward, width, hidden, activation=activation),
                    norm=norm,
                    dropout=dropout,
                ),
                final_norm=norm(width),
                causal=causal,
            )

        self.encoder = half(depth, causal=False, reads_memory=False)
        self.decoder = half(decoder_depth or depth, causal=True, reads_memory=True)
        self.head = TokenHead(width, vocab_size, tied_to=embedding.tokens)
        self.register_buffer("score_bias", torch.zeros(vocab_size))
        initialise.bart(self)

    def decode(
        self,
        target: Tensor,
        memory: Tensor,
        memory_mask: Tensor | None = None,
        mask: Tensor | None = None,
        cache: Cache | None = None,
    ) -> Tensor:
        """(B, T), (B, S, D) -> (B, T, V)."""
        return super().decode(target, memory, memory_mask, mask, cache) + self.score_bias
