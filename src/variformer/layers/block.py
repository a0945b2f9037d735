"""A transformer block: attention, cross-attention if there is something to read, feed-forward."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import ClassVar, NamedTuple

from torch import Tensor, nn

from ..ranges import BelowOne, Count
from .attention import Attention, KeyValues
from .hidden import matrices_of
from .stochastic_depth import StochasticDepth

# Shapes: B batch, T tokens, M tokens of the memory, D model width, R what turns of a head.


class Context(NamedTuple):
    """What a block needs besides its input; the same for every block of a transformer."""

    mask: Tensor | None = None  # for self-attention: bool, or added to the scores
    causal: bool = False
    rotation: Tensor | None = None  # (2, T, R)
    local_rotation: Tensor | None = None  # instead of it where attention has a window
    memory: Tensor | None = None  # (B, M, D), the encoder's output
    memory_mask: Tensor | None = None

    def rotation_of(self, attention: nn.Module) -> Tensor | None:
        """That of a window's positions, where the attention has one; a class of one's own may know none."""
        is_local = getattr(attention, "window", None) is not None and self.local_rotation is not None
        return self.local_rotation if is_local else self.rotation


@dataclass
class BlockCache:
    """What one block remembers while it decodes step by step."""

    self_attention: KeyValues = field(default_factory=KeyValues)
    cross_attention: KeyValues = field(default_factory=KeyValues)


class Block(nn.Module):
    """The parts of a block. Subclasses say where the norms and the residuals go."""

    ends_normalised: ClassVar[bool]

    def __init__(
        self,
        width: Count,
        *,
        self_attention: Attention,
        feed_forward: nn.Module,
        norm: Callable[[int], nn.Module],
        cross_attention: Attention | None = None,
        dropout: BelowOne = 0.0,
        stochastic_depth: BelowOne = 0.0,
    ):
        super().__init__()
        self.self_attention, self.self_norm = self_attention, norm(width)
        self.cross_attention, self.cross_norm = cross_attention, norm(width) if cross_attention else nn.Identity()
        self.feed_forward, self.feed_forward_norm = feed_forward, norm(width)
        self.dropout: nn.Module = nn.Dropout(dropout)
        if stochastic_depth:
            self.dropout = nn.Sequential(self.dropout, StochasticDepth(stochastic_depth))

    def hidden_matrices(self) -> list[nn.Parameter]:
        """All matrices of a block."""
        return matrices_of(self)

    def attend(self, x: Tensor, context: Context, cache: BlockCache | None) -> Tensor:
        kv = cache.self_attention if cache else None
        rotation = context.rotation_of(self.self_attention)
        y = self.self_attention(x, mask=context.mask, causal=context.causal, rotation=rotation, cache=kv)
        return self.dropout(y)

    def attend_memory(self, x: Tensor, context: Context, cache: BlockCache | None) -> Tensor:
        kv = cache.cross_attention if cache else None
        if self.cross_attention is None:
            raise TypeError("this block has no cross-attention, so it cannot read a memory")
        return self.dropout(self.cross_attention(x, context.memory, mask=context.memory_mask, cache=kv))

    def feed(self, x: Tensor) -> Tensor:
        return self.dropout(self.feed_forward(x))


class PreNormBlock(Block):
    """x + f(norm(x)): GPT-2, T5, ViT."""

    ends_normalised = False

    def forward(self, x: Tensor, context: Context, cache: BlockCache | None = None) -> Tensor:
        """(B, T, D) -> (B, T, D)."""
        x = x + self.attend(self.self_norm(x), context, cache)
        if self.cross_attention is not None:
            x = x + self.attend_memory(self.cross_norm(x), context, cache)
        return x + self.feed(self.feed_forward_norm(x))


class ParallelBlock(Block):
    """x + f(norm(x)) + g(norm(x)), both at once: GPT-NeoX (Black et al., 2022, section 2.1), PaLM."""

    ends_normalised = False

    def forward(self, x: Tensor, context: Context, cache: BlockCache | None = None) -> Tensor:
        """(B, T, D) -> (B, T, D)."""
        y = self.attend(self.self_norm(x), context, cache) + self.feed(self.feed_forward_norm(x))
        if self.cross_attention is not None:
            y = y + self.attend_memory(self.cross_norm(x), context, cache)
        return x + y


class PostNormBlock(Block):
    """norm(x + f(x)): the original transformer, BERT, BART."""

    ends_normalised = True

    def forward(self, x: Tensor, context: Context, cache: BlockCache | None = None) -> Tensor:
        """(B, T, D) -> (B, T, D)."""
        x = self.self_norm(x + self.attend(x, context, cache))
        if self.cross_attention is not None:
            x = self.cross_norm(x + self.attend_memory(x, context, cache))
        return self.feed_forward_norm(x + self.feed(x))
