"""Parts that differ by layer, and the blocks that are made of them, each with its number.

A config gives such a part where another gives the part itself: alternating windows, layers without positions, norms
that shrink with depth. Whoever makes blocks asks for the part of each layer with `of_layer`, as `stack` does.
"""

from collections.abc import Callable
from functools import partial
from typing import Any

from torch import Tensor, nn

from ..ranges import BelowOne, Count, Positive, Whole
from .block import Block


class ByLayer:
    """A part that differs by layer. A subclass says in `of_layer` which part a layer has; the first has number 0."""

    def of_layer(self, number: Whole) -> Callable[..., Any]:
        raise NotImplementedError

    def __call__(self, *arguments: Any, **named: Any) -> Any:
        """Raises TypeError: a part that differs by layer is none before its number is known."""
        raise TypeError(f"{type(self).__name__} differs by layer: `layers.of_layer(part, number)` gives a layer's part")


class EveryNth(ByLayer):
    """`part` in each `every`-th layer, from the first on, and `others` in all that lie between."""

    def __init__(self, every: Count, part: Callable[..., Any], others: Callable[..., Any]):
        self.every, self.part, self.others = every, part, others

    def of_layer(self, number: Whole) -> Callable[..., Any]:
        return self.others if number % self.every else self.part


class DepthScaledNorm(ByLayer):
    """A norm whose output is divided by the square root of the layer's number, which counts from 1 here.

    Without it the variance of a pre-norm transformer grows with depth, and its last layers change little. Outside of
    blocks nothing is divided. Sun et al., 2025, "The Curse of Depth in Large Language Models", section 3.
    """

    def __init__(self, norm: Callable[[int], nn.Module] = nn.LayerNorm):
        self.norm = norm

    def of_layer(self, number: Whole) -> Callable[[int], nn.Module]:
        return lambda width: nn.Sequential(self.norm(width), Scale((number + 1) ** -0.5))

    def __call__(self, width: Count) -> nn.Module:
        return self.norm(width)


class Scale(nn.Module):
    """A constant times its input."""

    def __init__(self, factor: Positive):
        super().__init__()
        self.factor = factor

    def forward(self, x: Tensor) -> Tensor:
        """Any shape -> the same."""
        return x * self.factor

    def extra_repr(self) -> str:
        return f"{self.factor:.4g}"


def of_layer(part: Callable[..., Any], number: Whole) -> Callable[..., Any]:
    """The part of one layer; of a part that is the same for all layers, itself. Arguments given before are kept."""
    if isinstance(part, partial):
        return partial(of_layer(part.func, number), *part.args, **part.keywords)
    return of_layer(part.of_layer(number), number) if isinstance(part, ByLayer) else part


def stack(
    depth: Count,
    width: Count,
    *,
    block: Callable[..., Block],
    self_attention: Callable[..., nn.Module],
    feed_forward: Callable[..., nn.Module],
    norm: Callable[[int], nn.Module],
    cross_attention: Callable[..., nn.Module] | None = None,
    dropout: BelowOne = 0.0,
    stochastic_depth: BelowOne = 0.0,
) -> list[Block]:
    """`depth` blocks, each made with its number. Attention and feed-forward need no more arguments.

    `stochastic_depth` is the last block's; earlier ones have less, and the first none (Huang et al., 2016, section 3).
    """

    def made(number: int) -> Block:
        further: dict[str, Any] = {}  # only what is asked for: a block of one's own may know none of it
        attention = of_layer(self_attention, number)()
        if cross_attention is not None:
            further["cross_attention"] = of_layer(cross_attention, number)()
        if stochastic_depth:
            further["stochastic_depth"] = stochastic_depth * number / max(depth - 1, 1)
        feed = of_layer(feed_forward, number)()
        parts = {"self_attention": attention, "feed_forward": feed, "norm": of_layer(norm, number)}
        return of_layer(block, number)(width, **parts, dropout=dropout, **further)

    return [made(number) for number in range(depth)]
