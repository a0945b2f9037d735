"""Scaled dot-product attention: one class for self-, causal and cross-attention."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from .positions import rotate

# Shapes: B batch, Q queries, K keys, D model width, H heads, W head width.


@dataclass
class KeyValues:
    """The keys and values that one attention layer has seen, (B, H, K, W) each."""

    keys: Tensor | None = None
    values: Tensor | None = None

    def append(self, keys: Tensor, values: Tensor) -> tuple[Tensor, Tensor]:
        if self.keys is not None and self.values is not None:
            keys, values = torch.cat([self.keys, keys], 2), torch.cat([self.values, values], 2)
        self.keys, self.values = keys, values
        return keys, values


class Attention(nn.Module):
    """Multi-head attention of `x` over `source`, or over itself when there is no source.

    Vaswani et al., 2017, section 3.2. `scale` defaults to 1/sqrt(head_width); T5 uses 1. `head_width` defaults to
    width / heads. Raises ValueError where heads do not divide the width and no head width is given.
    """

    def __init__(
        self,
        width: int,
        heads: int,
        *,
        head_width: int | None = None,
        bias: bool = True,
        dropout: float = 0.0,
        scale: float | None = None,
    ):
        super().__init__()
        if head_width is None and width % heads:
            raise ValueError(f"{heads} heads do not divide a width of {width} (model.heads, model.width)")
        head_width = head_width or width // heads
        self.heads, self.dropout = heads, dropout
        self.scale = head_width**-0.5 if scale is None else scale
        self.query = nn.Linear(width, heads * head_width, bias)
        self.key = nn.Linear(width, heads * head_width, bias)
        self.value = nn.Linear(width, heads * head_width, bias)
        self.output = nn.Linear(heads * head_width, width, bias)
        self.kernel = fused_attention

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
        q = self.split_heads(self.query(x))
        if source is not None and cache is not None and cache.keys is not None:
            k, v = cache.keys, cache.values  # the source never changes: it was projected once
        else:
            source = x if source is None else source
            k, v = self.split_heads(self.key(source)), self.split_heads(self.value(source))
            if rotation is not None:
                k = rotate(k, rotation)
            if cache is not None:
                k, v = cache.append(k, v)
        if rotation is not None:
            q = rotate(q, rotation)
        dropout = self.dropout if self.training else 0.0
        y = self.kernel(q, k, v, mask=mask, causal=causal, dropout=dropout, scale=self.scale)
        return self.output(y.transpose(1, 2).flatten(2))

    def split_heads(self, x: Tensor) -> Tensor:
        return x.unflatten(-1, (self.heads, -1)).transpose(1, 2)  # (B, T, H*W) -> (B, H, T, W)


def fused_attention(q, k, v, *, mask, causal, dropout, scale) -> Tensor:
    """PyTorch's flash, memory-efficient or math kernel; flash needs `mask` to be None."""
    return F.scaled_dot_product_attention(q, k, v, mask, dropout, causal, scale=scale)


@contextmanager
def record_attention(model: nn.Module) -> Iterator[dict[str, list[Tensor]]]:
    """Within the context, keep every attention map, (B, H, Q, K), under its layer's name."""
    maps: dict[str, list[Tensor]] = {}
    layers = {name: m for name, m in model.named_modules() if isinstance(m, Attention)}

    def recording(name: str):
        def kernel(q, k, v, *, mask, causal, dropout, scale):
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
