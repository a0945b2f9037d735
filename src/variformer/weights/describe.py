"""What a config.json says of a transformer of ours, and the refusal of parts that theirs has no place for."""

from collections.abc import Sequence
from typing import Any, NamedTuple

import torch
from torch import nn

from ..layers import Attention, LearnedPositions, Transformer
from .table import activation_name


class Facts(NamedTuple):
    embedding: Any  # the parts themselves
    positions: Any
    width: int
    depth: int
    heads: int
    head_width: int
    hidden: int
    dropout: float
    activation: str  # their name
    eps: float  # of the norms


def describe(
    transformer: Transformer,
    *,
    positions: type[nn.Module],
    norm: type[nn.Module],
    block: type[nn.Module],
    feed_forward: Sequence[type[nn.Module]],
) -> Facts:
    """Sizes and numbers of a transformer that is made of their parts. Raises ValueError that names another part."""
    first: Any = transformer.blocks[0]
    for part, module, expected in [
        ("positions", transformer.positions, [positions]),
        ("block", first, [block]),
        ("norm", first.self_norm, [norm]),
        ("feed_forward", first.feed_forward, feed_forward),
    ]:
        if type(module) not in expected:
            known = " or ".join(each.__name__ for each in expected)
            raise ValueError(f"{part}: theirs has no place for {type(module).__name__}, only for {known}")
    for module in transformer.modules():
        if isinstance(module, Attention) and not module.plain:
            raise ValueError("attention: theirs has no key_value_heads, window or query_key_norm")
    attention = first.self_attention
    return Facts(
        embedding=transformer.embedding,
        positions=transformer.positions,
        width=attention.query.in_features,
        depth=transformer.depth,
        heads=attention.heads,
        head_width=attention.query.out_features // attention.heads,
        hidden=first.feed_forward.widen.out_features,
        dropout=first.dropout.p,
        activation=activation_name(first.feed_forward.activation),
        eps=torch.finfo(attention.query.weight.dtype).eps if first.self_norm.eps is None else first.self_norm.eps,
    )


def learned_length(positions: LearnedPositions, offset: int) -> int:
    """How many positions there are besides the unused. Raises ValueError where others are unused than in theirs."""
    if positions.offset != offset:
        raise ValueError(f"positions: theirs start at {offset} of their table, ours at {positions.offset}")
    return positions.table.num_embeddings - offset
