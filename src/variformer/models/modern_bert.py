"""ModernBERT: an encoder of today's parts, in which most blocks attend to what is near alone.

Warner et al., 2024, "Smarter, Better, Faster, Longer", https://arxiv.org/abs/2412.13663.
"""

from collections.abc import Callable
from functools import partial
from typing import Any, ClassVar

from torch import Tensor, nn

from .. import layers
from ..ranges import BelowOne, Count
from .bert import Bert


class ModernBert(Bert):
    """The defaults are ModernBERT base (149M). What is not named here is as in BERT, but that nothing has a bias.

    `attention` is what most blocks have; each `global_every`-th, from the first on, has the same without its window.
    """

    pair_classes: ClassVar = 0  # it has no head for pairs

    def __init__(
        self,
        *,
        vocab_size: Count = 50368,
        depth: Count = 22,
        hidden: Count = 1152,
        max_length: Count = 8192,
        dropout: BelowOne = 0.0,
        global_every: Count = 3,
        positions: Callable[[layers.Sizes], layers.Positions] = layers.LocalRotaryPositions,
        norm: Callable[[int], nn.Module] = partial(nn.LayerNorm, eps=1e-5, bias=False),
        feed_forward: Callable[..., nn.Module] = layers.GatedFeedForward,
        block: Callable[..., layers.Block] = layers.PreNormBlock,
        attention: Callable[..., layers.Attention] = partial(layers.Attention, window=64),
        **bert: Any,
    ):
        local = partial(attention, bias=False)
        alternating = layers.EveryNth(global_every, part=partial(local, window=None), others=local)
        bert |= dict(vocab_size=vocab_size, depth=depth, hidden=hidden, max_length=max_length, dropout=dropout)
        bert |= dict(positions=positions, norm=norm, feed_forward=partial(feed_forward, bias=False), block=block)
        super().__init__(attention=alternating, segments=0, pair_classes=0, embedding_width=None, **bert)
        if not self.encoder.blocks[0].ends_normalised:
            self.encoder.blocks[0].self_norm = nn.Identity()  # its input is normed already

    def add_heads(self, tokens: nn.Embedding, norm: Any, activation: Any, pair_classes: int) -> None:
        """`transform` stands below every head, also below those for tasks."""
        self.transform = nn.Sequential(nn.Linear(self.width, self.width, bias=False), activation(), norm(self.width))
        self.token_head = layers.TokenHead(self.width, tokens.num_embeddings, tied_to=tokens, bias=True)
        layers.initialise.modern_bert(self, self.encoder.depth)

    def hidden_matrices(self) -> list[nn.Parameter]:
        return layers.matrices_of(self.transform)

    def states(self, tokens: Tensor, mask: Tensor | None = None, segments: Tensor | None = None) -> Tensor:
        """(B, T) tokens -> (B, T, width): the states that every head reads. `segments` are ignored."""
        return self.transform(super().states(tokens, mask, segments))
