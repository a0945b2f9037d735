"""Scaled dot-product attention: one class for self-, causal and cross-attention."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ..ranges import BelowOne, Count, Positive, Whole
from .positions import rotate

# Shapes: B batch, Q queries, K keys, D model width, H heads, G heads of keys and values, W head width.


@dataclass
class KeyValues:
    """The keys and values that one attention layer has seen, in a buffer that doubles when it is full."""

    buffer: Tensor | None = None  # (2, B, G, room, W): keys, values
    length: Whole = 0  # how much of the room is taken

    @property
    def keys(self) -> Tensor | None:
        """(B, G, K, W)."""
        return None if self.buffer is None else self.buffer[0, :, :, : self.length]

    @property
    def values(self) -> Tensor | None:
        """(B, G, K, W)."""
        return None if self.buffer is None else self.buffer[1, :, :, : self.length]

    def append(self, keys: Tensor, values: Tensor) -> tuple[Tensor, Tensor]:
        """Write (B, G, K, W) of new positions behind the others -> those of all positions."""
        start, self.length = self.length, self.length + keys.size(2)
        if self.buffer is None:
            self.buffer = torch.stack([keys, values])
        else:
            if self.length > self.buffer.size(3):
                self.buffer = widened(self.buffer, start, max(self.length, 2 * start))
            self.buffer[0, :, :, start : self.length] = keys
            self.buffer[1, :, :, start : self.length] = values
        return self.buffer[0, :, :, : self.length], self.buffer[1, :, :, : self.length]

    def keep(self, rows: Tensor) -> None:
        """Go on with these rows of the batch, in this order. A row may come several times."""
        if self.buffer is not None:
            self.buffer = self.buffer.index_select(1, rows)


def widened(buffer: Tensor, taken: int, room: int) -> Tensor:
    """(2, B, G, K, W) -> (2, B, G, room, W), whose first `taken` positions are the same."""
    new = buffer.new_empty(*buffer.shape[:3], room, buffer.size(4))
    new[:, :, :, :taken] = buffer[:, :, :, :taken]
    return new


class Attention(nn.Module):
    """Multi-head attention of `x` over `source`, or over itself when there is no source.

    Vaswani et al., 2017, section 3.2. `scale` defaults to 1/sqrt(head_width); T5 uses 1. `head_width` defaults to
    width / heads. `bias`: whether its matrices have one. Three variants, each by an argument:

    `key_value_heads`: fewer heads of keys and values, each for a group of neighbouring query heads (grouped-query
    attention, Ainslie et al., 2023, section 2.2; with one head it is multi-query attention, Shazeer, 2019).
    `window`: besides itself, a position attends to so many before it, and after it unless the model is causal
    (sliding window, Beltagy et al., 2020, "Longformer", section 3.1). Attention over a source has none.
    `query_key_norm`: makes a norm of the head width, one for the queries and one for the keys of all heads, before they
    turn (Henry et al., 2020, "Query-Key Normalization for Transformers"; Dehghani et al., 2023, section 2).

    Raises ValueError where heads do not divide the width and no head width is given, where key_value_heads do not
    divide the heads, and where a window is negative.
    """

    def __init__(
        self,
        width: Count,
        heads: Count,
        *,
        head_width: Count | None = None,
        bias: bool = True,
        dropout: BelowOne = 0.0,
        scale: Positive | None = None,
        key_value_heads: Count | None = None,
        window: Count | None = None,
        query_key_norm: Callable[[int], nn.Module] | None = None,
    ):
        super().__init__()
        if head_width is None and width % heads:
            raise ValueError(f"{heads} heads do not divide a width of {width} (model.heads, model.width)")
        groups = heads if key_value_heads is None else key_value_heads
        if groups < 1 or heads % groups:
            raise ValueError(f"{groups} heads of keys do not divide {heads} heads (key_value_heads, model.heads)")
        if window is not None and window < 0:
            raise ValueError(f"a window of {window} positions is negative (window)")
        self.head_width = head_width or width // heads
        self.heads, self.key_value_heads, self.window, self.dropout = heads, groups, window, dropout
        self.scale = self.head_width**-0.5 if scale is None else scale
        self.query = nn.Linear(width, heads * self.head_width, bias)
        self.key = nn.Linear(width, groups * self.head_width, bias)
        self.value = nn.Linear(width, groups * self.head_width, bias)
        self.output = nn.Linear(heads * self.head_width, width, bias)
        self.query_norm = query_key_norm(self.head_width) if query_key_norm else nn.Identity()
        self.key_norm = query_key_norm(self.head_width) if query_key_norm else nn.Identity()
        self.kernel = fused_attention

    @property
    def plain(self) -> bool:
        """Whether this is attention as in the first paper, with none of the three variants."""
        normed = not isinstance(self.query_norm, nn.Identity)
        return self.key_value_heads == self.heads and self.window is None and not normed

    def forward(
        self,
        x: Tensor,
        source: Tensor | None = None,
        *,
        mask: Tensor | None = None,
        causal: bool = False,
        rotation: Tensor | None = None,
        cache: KeyValues | None = None,
    ) -> Tensor:
        """(B, Q, D), (B, K, D) -> (B, Q, D). `mask` is bool (True: attend) or added to the scores."""
        q = self.query_norm(self.split_heads(self.query(x)))
        if source is not None and cache is not None and cache.buffer is not None:
            k, v = cache.buffer  # the source never changes: it was projected once
        else:
            read = x if source is None else source
            k, v = self.key_norm(self.split_heads(self.key(read))), self.split_heads(self.value(read))
            if rotation is not None:
                k = rotate(k, rotation)
            if cache is not None:
                k, v = cache.append(k, v)
        if rotation is not None:
            q = rotate(q, rotation)
        if source is None and self.window is not None:
            mask, causal = windowed(mask, causal, self.window, queries=q.size(2), keys=k.size(2), device=x.device)
        dropout = self.dropout if self.training else 0.0
        y = self.kernel(q, k, v, mask=mask, causal=causal, dropout=dropout, scale=self.scale)
        return self.output(y.transpose(1, 2).flatten(2))

    def split_heads(self, x: Tensor) -> Tensor:
        return x.unflatten(-1, (-1, self.head_width)).transpose(1, 2)  # (B, T, H*W) -> (B, H, T, W)


class UnturnedAttention(Attention):
    """Attention whose queries and keys never turn: in a layer of its own beside rotary ones it knows no order.

    Kazemnejad et al., 2023, "The Impact of Positional Encoding on Length Generalization". What a scheme adds to
    embeddings or to scores reaches it as any other.
    """

    def forward(self, x: Tensor, *args: Tensor | None, rotation: Tensor | None = None, **named: Any) -> Tensor:
        """As in `Attention.forward`."""
        return super().forward(x, *args, **named)


def windowed(
    mask: Tensor | None, causal: bool, window: int, *, queries: int, keys: int, device: torch.device
) -> tuple[Tensor | None, bool]:
    """`mask` and `causal` as one mask of what else is near; as they were, where everything is."""
    if keys - 1 <= window:
        return mask, causal
    first = keys - queries  # the queries are the newest of the positions
    near = torch.ones(queries, keys, dtype=torch.bool, device=device)
    near = near.triu(first - window).tril(first if causal else first + window)
    if mask is None:
        return near, False
    return (mask & near if mask.dtype == torch.bool else mask.masked_fill(~near, -torch.inf)), False


def fused_attention(q, k, v, *, mask, causal, dropout, scale) -> Tensor:
    """PyTorch's flash, memory-efficient or math kernel. Flash needs `mask` to be None, and alone takes fewer keys."""
    if mask is not None:
        k, v = for_every_head(k, q.size(1)), for_every_head(v, q.size(1))
    fewer = k.size(1) < q.size(1)
    return F.scaled_dot_product_attention(q, k, v, mask, dropout, causal, scale=scale, enable_gqa=fewer)


def for_every_head(x: Tensor, heads: int) -> Tensor:
    """(B, G, K, W) -> (B, H, K, W): the keys or values that each query head reads."""
    return x if x.size(1) == heads else x.repeat_interleave(heads // x.size(1), 1)


@contextmanager
def record_attention(model: nn.Module) -> Iterator[dict[str, list[Tensor]]]:
    """Within the context, keep every attention map, (B, H, Q, K), under its layer's name."""
    maps: dict[str, list[Tensor]] = {}
    layers = {name: m for name, m in model.named_modules() if isinstance(m, Attention)}

    def recording(name: str):
        def kernel(q, k, v, *, mask, causal, dropout, scale):
            k, v = for_every_head(k, q.size(1)), for_every_head(v, q.size(1))
            scores = q @ k.mT * scale
            if causal:
                mask = torch.ones_like(scores[0, 0], dtype=torch.bool).tril()
            if mask is not None:
                scores = scores.masked_fill(~mask, -torch.inf) if mask.dtype == torch.bool else scores + mask
            blind = scores.isneginf().all(-1, keepdim=True)  # who sees nothing reads zero, as in the fused kernel
            weights = scores.masked_fill(blind, 0.0).softmax(-1).masked_fill(blind, 0.0)
            maps.setdefault(name, []).append(weights.detach())
            return F.dropout(weights, dropout) @ v

        return kernel

    try:
        for name, layer in layers.items():
            layer.kernel = recording(name)
        yield maps
    finally:
        for layer in layers.values():
            layer.kernel = fused_attention
