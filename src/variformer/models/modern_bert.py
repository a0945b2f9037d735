"""ModernBERT: an encoder of today's parts, in which most blocks attend to what is near alone.

Warner et al., 2024, "Smarter, Better, Faster, Longer", https://arxiv.org/abs/2412.13663.
"""

from collections.abc import Callable
from functools import partial
from typing import ClassVar

from torch import Tensor, nn

from ..layers import (
    ACTIVATIONS,
    Activation,
    Attention,
    Block,
    GatedFeedForward,
    LocalRotaryPositions,
    Positions,
    PreNormBlock,
    Sizes,
    TokenEmbedding,
    TokenHead,
    Transformer,
    initialise,
)
from ..layers.hidden import matrices_of
from ..ranges import BelowOne, Count
from .contracts import Predictions


class ModernBert(nn.Module):
    """The defaults are ModernBERT base (149M).

    `attention` is what most blocks have; each `global_every`-th, from the first on, has the same without its window.
    The first block has no norm before its attention, because its input is normed already.
    """

    kind: ClassVar = "encoder with a token head"
    objective: ClassVar = "MaskedTokens"
    pipeline: ClassVar = "fill-mask"
    head_names: ClassVar[tuple[str, ...]] = ("token_head",)
    pair_classes: ClassVar = 0  # it has no head for pairs

    def __init__(
        self,
        *,
        vocab_size: Count = 50368,
        width: Count = 768,
        depth: Count = 22,
        heads: Count = 12,
        hidden: Count = 1152,
        max_length: Count = 8192,
        dropout: BelowOne = 0.0,
        global_every: Count = 3,
        activation: Activation = "gelu",
        positions: Callable[[Sizes], Positions] = LocalRotaryPositions,
        norm: Callable[[int], nn.Module] = partial(nn.LayerNorm, eps=1e-5, bias=False),
        feed_forward: Callable[..., nn.Module] = GatedFeedForward,
        block: Callable[..., Block] = PreNormBlock,
        attention: Callable[..., Attention] = partial(Attention, window=64),
    ):
        super().__init__()
        self.width, self.max_length = width, max_length
        embedding = TokenEmbedding(vocab_size, width)
        local_attention = partial(attention, width, heads, bias=False, dropout=dropout)
        global_attention = partial(local_attention, window=None)
        self.encoder = Transformer(
            embedding=embedding,
            positions=positions(
                Sizes(width, heads, width // heads, max_length, causal=False, embedding_std=initialise.STD)
            ),
            entry=nn.Sequential(norm(width), nn.Dropout(dropout)),
            blocks=[
                block(
                    width,
                    self_attention=local_attention() if number % global_every else global_attention(),
                    feed_forward=feed_forward(width, hidden, activation=activation, bias=False),
                    norm=norm,
                    dropout=dropout,
                )
                for number in range(depth)
            ],
            final_norm=norm(width),
        )
        first = self.encoder.blocks[0]
        if not first.ends_normalised:
            first.self_norm = nn.Identity()
        self.transform = nn.Sequential(nn.Linear(width, width, bias=False), ACTIVATIONS[activation](), norm(width))
        self.token_head = TokenHead(width, vocab_size, tied_to=embedding.tokens, bias=True)
        initialise.modern_bert(self, depth)

    def hidden_matrices(self) -> list[nn.Parameter]:
        """That of `transform`, the hidden layer below every head."""
        return matrices_of(self.transform)

    def forward(
        self,
        tokens: Tensor,
        mask: Tensor | None = None,
        segments: Tensor | None = None,
        predict: Tensor | None = None,
    ) -> Predictions:
        """(B, T) tokens -> scores of the token at each position; arguments as in `Bert.forward`."""
        states = self.encoder(tokens, mask=mask)
        chosen = states if predict is None else states.flatten(0, 1)[predict]
        return Predictions(self.token_head(self.transform(chosen)), None, states)

    def states(self, tokens: Tensor, mask: Tensor | None = None, segments: Tensor | None = None) -> Tensor:
        """(B, T) tokens -> (B, T, width): what every head reads; segments are not told apart."""
        return self.transform(self.encoder(tokens, mask=mask))
