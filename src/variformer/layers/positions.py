"""Positional schemes: every way the library can tell a transformer the order of its input.

A scheme turns a range of positions into an `Order`, and fills one of its three fields. What can be computed is
computed, in float32: a scheme without parameters has no state, no longest length and loses nothing in bfloat16.
"""

import math
from typing import NamedTuple

import torch
from torch import Tensor, nn

from ..ranges import Buckets, Count, PartOrAll, Positive, Whole

# Shapes: B batch, T positions asked for, K positions up to the last of them, E embedding width, H heads, W head width,
# R what turns of it.


class Sizes(NamedTuple):
    """What a scheme may need to know of the transformer it serves."""

    width: Count  # of the embedding
    heads: Count
    head_width: Count
    max_length: Count
    causal: bool
    embedding_std: float = 1.0  # of a new model's embeddings, to which a scheme may add


class Order(NamedTuple):
    """Ways to give a transformer the order of its input; a scheme uses one."""

    added: Tensor | None = None  # (T, E), or (B, T, E) where rows differ, added to the embeddings
    rotation: Tensor | None = None  # (2, T, R) cosines and sines that turn queries and keys, R <= W
    bias: Tensor | None = None  # (H, T, K) added to the attention scores
    local_rotation: Tensor | None = None  # instead of `rotation` in blocks that attend within a window


class Positions(nn.Module):
    """No order at all: what every scheme starts from. `longest` is None where a text may have any length."""

    longest: int | None = None

    def __init__(self, sizes: Sizes):
        super().__init__()

    def forward(self, length: int, start: int, device: torch.device, real: Tensor | None = None) -> Order:
        """The order of positions start ... start + length - 1; `real`, (B, T) bool, says which hold a token."""
        return Order()


class LearnedPositions(Positions):
    """One trained vector for each position (BERT, GPT-2, ViT), after `offset` that are never used (BART).

    In a causal transformer they count from the first real token: texts of a batch may be padded on the left.
    """

    def __init__(self, sizes: Sizes, *, offset: Whole = 0):
        super().__init__(sizes)
        self.causal, self.offset, self.longest = sizes.causal, offset, sizes.max_length
        self.table = nn.Embedding(offset + sizes.max_length, sizes.width)

    def forward(self, length: int, start: int, device: torch.device, real: Tensor | None = None) -> Order:
        """Raises ValueError past the table's end: a position that was never trained has no vector."""
        if real is None or not self.causal:
            self.require(start + length)
            return Order(added=self.table(self.offset + torch.arange(start, start + length, device=device)))
        self.require_from_first(real)
        return Order(added=self.table(self.offset + from_first_token(real)[:, start:]))

    def require(self, positions: int) -> None:
        if self.longest is not None and positions > self.longest:
            raise ValueError(f"{positions} positions, but the model has learned {self.longest} (model.max_length)")

    def require_from_first(self, real: Tensor) -> None:
        if self.longest is not None and real.size(1) > self.longest:  # padding on the left is no position
            self.require(int(from_first_token(real).max()) + 1)


class CountedPositions(LearnedPositions):
    """Learned positions, counted only over real tokens: padding on the left moves nothing (RoBERTa's code, fairseq).

    Padding reads the last vector before the first real position, for which `offset` leaves room.
    """

    def __init__(self, sizes: Sizes, *, offset: Whole = 2):
        super().__init__(sizes, offset=offset)

    def forward(self, length: int, start: int, device: torch.device, real: Tensor | None = None) -> Order:
        if real is None:
            return super().forward(length, start, device)
        self.require_from_first(real)
        count = real.long().cumsum(1)[:, start:]
        return Order(added=self.table(self.offset - 1 + count * real[:, start:]))


class SinusoidalPositions(Positions):
    """Sines and cosines of geometrically spaced frequencies (Vaswani et al., 2017, section 3.5).

    In the paper the embeddings, which start with a standard deviation of width^-1/2 in its code, are multiplied by
    width^1/2 (section 3.4): they start at one, beside waves whose amplitude is one. `amplitude=None` keeps that
    proportion without a change of the embeddings, which a head may share: the waves are as high as the embeddings'
    first standard deviation. Runs from before this argument have an amplitude of one, whatever the embeddings are.
    In a causal transformer they count from the first real token, as learned positions do.
    """

    def __init__(self, sizes: Sizes, *, base: Positive = 10000.0, amplitude: Positive | None = 1.0):
        super().__init__(sizes)
        self.width, self.base, self.causal = sizes.width, base, sizes.causal
        self.amplitude = sizes.embedding_std if amplitude is None else amplitude

    def forward(self, length: int, start: int, device: torch.device, real: Tensor | None = None) -> Order:
        places = torch.arange(start, start + length, device=device)
        if real is not None and self.causal:
            places = from_first_token(real)[:, start:]
        angles = places[..., None] * frequencies(self.width, self.base, device)
        waves = torch.stack([angles.sin(), angles.cos()], -1).flatten(-2)[..., : self.width]
        return Order(added=self.amplitude * waves)


class RotaryPositions(Positions):
    """Queries and keys turned by an angle that grows with position (RoFormer, Su et al., 2021, section 3.2).

    `share` is the fraction of each head that turns, counted from its start; the rest has no order (GPT-NeoX-20B, Black
    et al., 2022, section 2.1). Raises ValueError where that is no whole number of pairs.
    """

    def __init__(self, sizes: Sizes, *, base: Positive = 10000.0, share: PartOrAll = 1.0):
        super().__init__(sizes)
        self.head_width, self.base, self.share = sizes.head_width, base, share
        self.turned = int(sizes.head_width * share)
        if self.turned % 2 or not self.turned:
            turned = f"and {self.turned} of it turn (share)" if share < 1 else "(an odd number)"
            raise ValueError(f"rotary positions turn pairs, but heads are {sizes.head_width} wide {turned}")

    def forward(self, length: int, start: int, device: torch.device, real: Tensor | None = None) -> Order:
        return Order(rotation=rotation_of(length, start, self.turned, self.base, device))


class LocalRotaryPositions(RotaryPositions):
    """Rotary positions with another base, `local_base`, in blocks that attend within a window.

    Far positions need slow turns, near ones do not (ModernBERT, Warner et al., 2024, section 2.1.2).
    """

    def __init__(self, sizes: Sizes, *, base: Positive = 160000.0, local_base: Positive = 10000.0):
        super().__init__(sizes, base=base)
        self.local_base = local_base

    def forward(self, length: int, start: int, device: torch.device, real: Tensor | None = None) -> Order:
        near = rotation_of(length, start, self.turned, self.local_base, device)
        return super().forward(length, start, device)._replace(local_rotation=near)


class RelativePositions(Positions):
    """A learned score for each bucket of distances, one per head (T5, Raffel et al., 2019, section 2.1).

    In a new model of any family the scores have T5's standard deviation, `std`.
    """

    def __init__(self, sizes: Sizes, *, buckets: Buckets = 32, max_distance: Count = 128):
        super().__init__(sizes)
        self.std = sizes.width**-0.5
        self.causal, self.buckets, self.max_distance = sizes.causal, buckets, max_distance
        self.scores = nn.Embedding(buckets, sizes.heads)

    def forward(self, length: int, start: int, device: torch.device, real: Tensor | None = None) -> Order:
        return Order(bias=self.scores(self.bucket(distances(length, start, device))).permute(2, 0, 1))

    def bucket(self, distance: Tensor) -> Tensor:
        """Half of the buckets hold one distance each, the rest grow geometrically to `max_distance`."""
        buckets, first = self.buckets, torch.zeros_like(distance)
        if not self.causal:  # the future gets its own half
            buckets //= 2
            first = (distance > 0) * buckets
        distance = (-distance).clamp(min=0) if self.causal else distance.abs()
        exact = buckets // 2
        growth = torch.log(distance.clamp(min=1).float() / exact) / math.log(self.max_distance / exact)
        far = (exact + growth * (buckets - exact)).long().clamp(max=buckets - 1)
        return first + torch.where(distance < exact, distance, far)


class LinearBiasPositions(Positions):
    """A fixed penalty proportional to distance, steeper for some heads (ALiBi, Press et al., 2021, section 3)."""

    def __init__(self, sizes: Sizes):
        super().__init__(sizes)
        self.heads = sizes.heads

    def forward(self, length: int, start: int, device: torch.device, real: Tensor | None = None) -> Order:
        return Order(bias=-distances(length, start, device).abs() * self.slopes(device)[:, None, None])

    def slopes(self, device: torch.device) -> Tensor:
        """(H,): a geometric sequence that ends at 2^-8; what exceeds a power of two is interleaved."""
        power = 2 ** int(math.log2(self.heads))
        whole = 2 ** (-8.0 * torch.arange(1, power + 1, device=device) / power)
        between = 2 ** (-4.0 * (2 * torch.arange(self.heads - power, device=device) + 1) / power)
        return torch.cat([whole, between])


def distances(length: int, start: int, device: torch.device) -> Tensor:
    """(T, K): how far each key is from each query, negative for the past."""
    keys = torch.arange(start + length, device=device)
    return keys - keys[start:, None]


def from_first_token(real: Tensor) -> Tensor:
    """(B, K) bool -> (B, K): the position of each token behind the first real one, 0 for padding before it."""
    columns = torch.arange(real.size(1), device=real.device)
    return (columns - real.long().argmax(1, keepdim=True)).clamp(min=0)


def frequencies(width: int, base: float, device: torch.device) -> Tensor:
    """(ceil(width / 2),), each lower than the one before."""
    return base ** (-torch.arange(0, width, 2, device=device, dtype=torch.float32) / width)


def rotation_of(length: int, start: int, width: int, base: float, device: torch.device) -> Tensor:
    """(2, T, width): the cosine and the sine of the angle of each position."""
    angles = torch.arange(start, start + length, device=device)[:, None] * frequencies(width, base, device)
    angles = angles.repeat(1, 2)
    return torch.stack([angles.cos(), angles.sin()])


def rotate(x: Tensor, rotation: Tensor) -> Tensor:
    """Turn each pair (i, i + R/2) of the first R of `x`, (B, H, T, W), by its angle; the rest stays as it is."""
    cosine, sine = rotation.to(x.dtype)
    turning, rest = x.tensor_split([cosine.size(-1)], dim=-1)
    first, second = turning.chunk(2, dim=-1)
    turned = turning * cosine + torch.cat([-second, first], -1) * sine
    return torch.cat([turned, rest], -1) if rest.size(-1) else turned
