"""The transformer: embed, order, pass through the blocks. Every model is one or two of these and a head."""

from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint

from ..ranges import Count, Whole
from .block import Block, BlockCache, Context
from .hidden import matrices_of
from .positions import Positions

# Shapes: B batch, T tokens, K tokens with those in the cache, M tokens of the memory, D model width, H heads.


@dataclass
class Cache:
    """The state of step-by-step decoding."""

    blocks: list[BlockCache]  # one for each depth, even where blocks are shared
    length: Whole = 0


class Transformer(nn.Module):
    """Embedding, positions, blocks.

    `entry` stands between the embeddings and the first block: dropout, and a norm where the paper has one there.
    `depth` may exceed the number of blocks: each is then applied several times in a row (ALBERT).
    `final_norm` is left out after blocks whose output is already normalised.
    With `checkpointing`, training keeps only the blocks' inputs and computes the rest again in the backward pass
    (Chen et al., 2016, "Training Deep Nets with Sublinear Memory Cost").
    """

    def __init__(
        self,
        *,
        embedding: nn.Module,
        positions: Positions,
        entry: nn.Module,
        blocks: list[Block],
        final_norm: nn.Module,
        causal: bool = False,
        depth: Count | None = None,
    ):
        super().__init__()
        self.embedding, self.positions, self.entry = embedding, positions, entry
        self.blocks = nn.ModuleList(blocks)
        self.final_norm = nn.Identity() if blocks[-1].ends_normalised else final_norm
        self.causal, self.depth = causal, depth or len(blocks)
        self.checkpointing = False

    def hidden_matrices(self) -> list[nn.Parameter]:
        """Those between the embeddings and the first block (ALBERT). Blocks name their own."""
        return matrices_of(self.entry)

    def forward(
        self,
        *inputs: Tensor | None,
        mask: Tensor | None = None,
        memory: Tensor | None = None,
        memory_mask: Tensor | None = None,
        cache: Cache | None = None,
    ) -> Tensor:
        """What the embedding takes -> (B, T, D) states.

        Masks are True where there is something to attend to: (B, K) for real tokens, (B, T, K) for a choice per query.
        """
        x = self.embedding(*inputs)
        start = cache.length if cache else 0
        order = self.positions(x.size(1), start, x.device, mask if mask is not None and mask.dim() == 2 else None)
        x = self.entry(x if order.added is None else x + order.added.to(x.dtype))

        self_mask, causal = attention_mask(mask, order.bias, self.causal, x, keys=start + x.size(1))
        memory_mask = None if memory_mask is None else per_head(memory_mask)
        context = Context(self_mask, causal, order.rotation, order.local_rotation, memory, memory_mask)

        for layer in range(self.depth):
            block = self.blocks[layer * len(self.blocks) // self.depth]
            if self.checkpointing and self.training:
                x = checkpoint(block, x, context, use_reentrant=False)
            else:
                x = block(x, context, cache.blocks[layer] if cache else None)
        if cache:
            cache.length += x.size(1)
        return self.final_norm(x)

    def new_cache(self) -> Cache:
        return Cache([BlockCache() for _ in range(self.depth)])


def attention_mask(
    allowed: Tensor | None, bias: Tensor | None, causal: bool, x: Tensor, keys: int
) -> tuple[Tensor | None, bool]:
    """Padding, order and causality as one mask; None where a flash kernel needs no mask."""
    queries = x.size(1)
    causal = causal and bool(queries > 1)  # the newest token may see all the others; symbolic in torch.export
    if allowed is None and bias is None and queries == keys:
        return None, causal
    allowed = None if allowed is None else per_head(allowed)
    if causal:
        past = torch.ones(queries, keys, dtype=torch.bool, device=x.device).tril(keys - queries)
        allowed = past if allowed is None else allowed & past
    if bias is None:
        return allowed, False
    bias = bias.to(x.dtype)
    return (bias if allowed is None else torch.where(allowed, bias, -torch.inf)), False


def per_head(mask: Tensor) -> Tensor:
    """(B, K) -> (B, 1, 1, K); (B, T, K) -> (B, 1, T, K)."""
    return mask[:, None, None] if mask.dim() == 2 else mask[:, None]
