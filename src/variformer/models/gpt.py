"""GPT-2: a causal transformer that predicts the next token.

Radford et al., 2019, "Language Models are Unsupervised Multitask Learners".
"""

from collections.abc import Callable
from functools import partial

from torch import nn

from ..layers import (
    Activation,
    Attention,
    Block,
    FeedForward,
    LearnedPositions,
    Positions,
    PreNormBlock,
    Sizes,
    TokenEmbedding,
    TokenHead,
    Transformer,
    initialise,
    stack,
)
from ..ranges import BelowOne, Count
from .contracts import CausalLanguageModel


class GPT(CausalLanguageModel):
    """The defaults are GPT-2 small (124M); other parts make it a GPT-NeoX, Llama, Mistral, Qwen3, Bloom or MPT.

    `head_width` defaults to width / heads. `tied_head` scores with the embedding's weights, and `embedding_norm` is a
    norm before the first block (Bloom, Le Scao et al., 2022, section 3.2.2).
    """

    def __init__(
        self,
        *,
        vocab_size: Count = 50257,
        width: Count = 768,
        depth: Count = 12,
        heads: Count = 12,
        hidden: Count = 3072,
        max_length: Count = 1024,
        head_width: Count | None = None,
        dropout: BelowOne = 0.1,
        tied_head: bool = True,
        embedding_norm: bool = False,
        activation: Activation = "gelu_tanh",
        positions: Callable[[Sizes], Positions] = LearnedPositions,
        norm: Callable[[int], nn.Module] = partial(nn.LayerNorm, eps=1e-5),
        feed_forward: Callable[..., nn.Module] = FeedForward,
        block: Callable[..., Block] = PreNormBlock,
        attention: Callable[..., Attention] = Attention,
    ):
        super().__init__()
        self.width, self.max_length = width, max_length
        if head_width is not None:
            attention = partial(attention, head_width=head_width)
        embedding = TokenEmbedding(vocab_size, width)
        self.decoder = Transformer(
            embedding=embedding,
            positions=positions(
                Sizes(width, heads, head_width or width // heads, max_length, causal=True, embedding_std=initialise.STD)
            ),
            entry=nn.Sequential(norm(width), nn.Dropout(dropout)) if embedding_norm else nn.Dropout(dropout),
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
            causal=True,
        )
        self.head = TokenHead(width, vocab_size, tied_to=embedding.tokens if tied_head else None)
        initialise.gpt2(self, depth)
