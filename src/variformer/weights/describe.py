"""What a transformer of ours is made of, and where that differs from the parts of one of their classes."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, NamedTuple

import torch
from torch import nn

from ..layers import Attention, LearnedPositions, Transformer
from .table import Difference, activation_name

Kinds = tuple[type[nn.Module], ...]


class Facts(NamedTuple):
    embedding: Any  # the parts themselves
    positions: Any
    width: int
    depth: int
    heads: int
    head_width: int
    key_value_heads: int
    window: int | None
    hidden: int
    dropout: float
    activation: str  # their name
    eps: float  # of the norms
    attention_bias: bool
    feed_forward_bias: bool


def facts_of(transformer: Transformer) -> Facts:
    """Sizes and numbers of a transformer that is made of their parts."""
    first: Any = transformer.blocks[0]
    attention = first.self_attention
    return Facts(
        embedding=transformer.embedding,
        positions=transformer.positions,
        width=attention.query.in_features,
        depth=transformer.depth,
        heads=attention.heads,
        head_width=attention.head_width,
        key_value_heads=attention.key_value_heads,
        window=attention.window,
        hidden=first.feed_forward.widen.out_features,
        dropout=first.dropout.p if isinstance(first.dropout, nn.Dropout) else first.dropout[0].p,
        activation=activation_name(first.feed_forward.activation),
        eps=eps_of(first.feed_forward_norm, attention.query.weight.dtype),
        attention_bias=attention.query.bias is not None,
        feed_forward_bias=first.feed_forward.widen.bias is not None,
    )


def eps_of(norm: Any, dtype: torch.dtype) -> float:
    return torch.finfo(dtype).eps if norm.eps is None else norm.eps


@dataclass(frozen=True)
class Parts:
    """The parts that the transformers of one of their classes have.

    `variants` are the arguments of Attention that their config has a word for, of `VARIANTS`. A bias that is None is
    there or not, as their config says.
    """

    positions: type[nn.Module]
    norm: type[nn.Module]
    block: Kinds
    feed_forward: Kinds
    variants: tuple[str, ...] = ()
    attention_bias: bool | None = True
    feed_forward_bias: bool | None = True
    norm_bias: bool = True  # of a LayerNorm; an RMSNorm has none
    embedding_norm: bool | None = None  # of a GPT; others have theirs as a matter of course
    by_block: tuple[str, ...] = ()  # those of `variants` that their config says for each block

    def differences(self, transformer: Transformer) -> Iterator[Difference]:
        """Where a transformer of ours has another part, each once."""
        yield from kinds("positions", transformer.positions, (self.positions,))
        if self.embedding_norm not in (None, there := not isinstance(transformer.entry, nn.Dropout)):
            yield Difference("entry", f"embedding_norm={there}", f"embedding_norm={self.embedding_norm}")
        found: dict[Difference, None] = {}
        for block in transformer.blocks:
            found |= dict.fromkeys(self.differences_of_block(block))
        yield from found
        if not found and len({numbers(block, self.by_block) for block in transformer.blocks}) > 1:
            yield Difference("blocks", "blocks with other numbers than the first", "equal ones")

    def differences_of_block(self, block: Any) -> Iterator[Difference]:
        yield from kinds("block", block, self.block)
        yield from kinds("norm", block.feed_forward_norm, (self.norm,))
        if type(block.feed_forward_norm) is nn.LayerNorm and self.norm is nn.LayerNorm:
            yield from bias("norm", block.feed_forward_norm, self.norm_bias)
        for attention in attentions(block):
            yield from kinds("attention", attention, (Attention,))
            for name, value in variants(attention).items():
                if name not in self.variants:
                    yield Difference("attention", f"{name}={value}", f"no {name}")
            yield from bias("attention", getattr(attention, "query", None), self.attention_bias)
        yield from kinds("feed_forward", block.feed_forward, self.feed_forward)
        yield from bias("feed_forward", getattr(block.feed_forward, "widen", None), self.feed_forward_bias)


def kinds(part: str, module: nn.Module, expected: Kinds) -> Iterator[Difference]:
    if type(module) not in expected:
        yield Difference(part, type(module).__name__, " or ".join(each.__name__ for each in expected))


def bias(part: str, module: Any, expected: bool | None) -> Iterator[Difference]:
    """Nothing of a module that is not there: an own part is another one already."""
    there = getattr(module, "bias", None) is not None
    if module is not None and expected is not None and there != expected:
        yield Difference(part, f"bias={there}", f"bias={expected}")


def attentions(block: Any) -> list[Attention]:
    return [each for each in (block.self_attention, block.cross_attention) if each is not None]


def variants(attention: Attention) -> dict[str, Any]:
    """What an attention has that the first paper's has not, by the name of the argument."""
    found: dict[str, Any] = {}
    if attention.key_value_heads != attention.heads:
        found["key_value_heads"] = attention.key_value_heads
    if attention.window is not None:
        found["window"] = attention.window
    if not isinstance(attention.query_norm, nn.Identity):
        found["query_key_norm"] = type(attention.query_norm).__name__
    if attention.head_width * attention.heads != attention.query.in_features:
        found["head_width"] = attention.head_width
    if attention.scale != attention.head_width**-0.5:
        found["scale"] = attention.scale
    return found


def numbers(block: Any, by_block: tuple[str, ...]) -> tuple[Any, ...]:
    """What their config says once for all blocks, and the shapes of tensors do not."""
    dtype = block.self_attention.query.weight.dtype
    attention: list[Any] = []
    for each in attentions(block):
        attention += [each.heads, *(item for item in sorted(variants(each).items()) if item[0] not in by_block)]
    return (*attention, repr(block.feed_forward.activation), eps_of(block.feed_forward_norm, dtype))


def positions_from(positions: nn.Module, offset: int) -> Iterator[Difference]:
    """Whether other positions are unused than in theirs."""
    if type(positions) is LearnedPositions and positions.offset != offset:
        yield Difference("positions", f"offset={positions.offset}", f"offset={offset}")


def fixed_eps(transformer: Transformer, expected: float) -> Iterator[Difference]:
    """Whether the norms have another eps than theirs, for which their config has no word."""
    norm: Any = transformer.blocks[0].feed_forward_norm
    if hasattr(norm, "eps") and (eps := eps_of(norm, torch.get_default_dtype())) != expected:
        yield Difference("norm", f"eps={eps}", f"eps={expected}")


def learned_length(positions: LearnedPositions) -> int:
    """How many positions there are besides the unused."""
    return positions.table.num_embeddings - positions.offset
