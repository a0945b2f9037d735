"""What their families of causal decoders share: the words for rotary positions, and a head that is tied or not."""

from collections.abc import Iterator
from functools import partial
from typing import Any

from torch import nn

from ...layers import FeedForward, RotaryPositions, Transformer
from ...models import GPT
from ..settings import Settings
from ..table import Difference, Row, activation_name

EMBEDDING = "decoder.embedding.tokens.weight"
BASE = 10000.0  # of their rotary positions, where a config says none


def is_tied(model: GPT) -> bool:
    """Whether the head has no tensor of its own; under a head for a task it is absent."""
    return not hasattr(model, "head") or model.head.scores.weight is model.get_parameter(EMBEDDING)


def head(model: GPT, theirs: str) -> list[Row]:
    """The row of a head of its own."""
    return [] if is_tied(model) else [Row(("head.scores.weight",), (f"{theirs}.weight",))]


def rotary(
    config: Settings, head_width: int, *, base: str = "rope_theta", share: str | None = None, default: float = 1.0
) -> Any:
    """Rotary positions by the words of transformers 5 (`rope_parameters`), or by those of 4 (`base` and `share`).

    `default` is the share of a config that says none; where `share` is None, it must be 1. Scaled bases are refused.
    """
    said = "rope_scaling" if config.section("rope_scaling").values else "rope_parameters"
    found = config.section(said)
    for name in ("rope_type", "type"):
        if found.find(name) not in (None, "default"):
            raise ValueError(f"{said}.{name}={found.find(name)!r} is not supported, only 'default'")
    part = found.fraction("partial_rotary_factor", config.fraction(share or "partial_rotary_factor", default))
    if share is None and part != 1:
        raise ValueError(f"partial_rotary_factor={part} is not supported, only 1")
    if (turned := int(head_width * part)) % 2 or not turned:
        name = share or "hidden_size / num_attention_heads (head_dim)"
        raise ValueError(f"{name}: {turned} numbers of each head would turn, which are no pairs")
    return partial(RotaryPositions, base=found.positive("rope_theta", config.positive(base, BASE)), share=part)


def whole_rotation(positions: nn.Module) -> Iterator[Difference]:
    """Whether each head turns as a whole, as in theirs."""
    if isinstance(positions, RotaryPositions) and positions.turned != positions.head_width:
        yield Difference("positions", f"share={positions.share}", "share=1")


def four_times(decoder: Transformer, activation: str) -> Iterator[Difference]:
    """Whether the hidden layer is as wide, and its activation the one, that theirs has without asking its config."""
    feed_forward = getattr(decoder.blocks[0], "feed_forward", None)
    if not isinstance(feed_forward, FeedForward):
        return  # a part of its own, which is another one already
    if (hidden := feed_forward.widen.out_features) != 4 * feed_forward.widen.in_features:
        yield Difference("hidden", str(hidden), str(4 * feed_forward.widen.in_features))
    if (name := activation_name(feed_forward.activation)) != activation:
        yield Difference("activation", name, activation)
