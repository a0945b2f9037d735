"""Each scheme against its paper's formula, written out naively."""

import cmath
import math
from functools import partial

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from systems import schemes
from transformers.models.roberta.modeling_roberta import RobertaEmbeddings
from transformers.models.t5.modeling_t5 import T5Attention

from variformer.layers import (
    CountedPositions,
    LearnedPositions,
    LinearBiasPositions,
    LocalRotaryPositions,
    Positions,
    RelativePositions,
    RotaryPositions,
    SinusoidalPositions,
    Sizes,
)
from variformer.layers.positions import rotate

CPU = torch.device("cpu")


def sizes(width=12, heads=2, head_width=6, max_length=50, causal=False, embedding_std=1.0) -> Sizes:
    return Sizes(width, heads, head_width, max_length, causal, embedding_std)


SCHEMES = [*schemes(), partial(LearnedPositions, offset=2), partial(RotaryPositions, share=0.34)]


@pytest.mark.parametrize("scheme", SCHEMES)
@pytest.mark.parametrize("causal", [True, False])
def test_a_later_start_continues_the_same_order(scheme, causal):
    """Decoding from a cache asks for single positions; together they are those of the whole."""
    positions = scheme(sizes(causal=causal))
    whole, rest = positions(9, 0, CPU), positions(4, 5, CPU)
    assert [field is None for field in whole] == [field is None for field in rest]
    used = sum(field is not None for field in whole)
    assert used == (0 if scheme is Positions else 2 if scheme is LocalRotaryPositions else 1)
    for field, later in zip(whole, rest, strict=True):
        if field is not None:
            torch.testing.assert_close(later, field[..., -4:, :])


@pytest.mark.parametrize("width", [12, 7])
def test_sinusoidal(width):
    """Vaswani et al., 2017, section 3.5: PE(p, 2i) = sin(p / 10000^(2i / d)), PE(p, 2i + 1) = cos of the same."""
    added = SinusoidalPositions(sizes(width=width))(30, 3, CPU).added
    expected = torch.empty(30, width)
    for row, position in enumerate(range(3, 33)):
        for column in range(width):
            angle = position / 10000 ** (column // 2 * 2 / width)
            expected[row, column] = math.cos(angle) if column % 2 else math.sin(angle)
    torch.testing.assert_close(added, expected)


def test_waves_are_as_high_as_new_embeddings_or_one():
    waves = SinusoidalPositions(sizes())(30, 3, CPU).added
    small = SinusoidalPositions(sizes(embedding_std=0.02), amplitude=None)(30, 3, CPU).added
    torch.testing.assert_close(small, 0.02 * waves)
    before = SinusoidalPositions(sizes(embedding_std=0.02))(30, 3, CPU).added
    assert torch.equal(before, waves)  # as in runs that were saved without an amplitude


def test_rotary():
    """Su et al., 2021, equation 14: position m multiplies the i-th pair, as a complex number, by exp(i m theta_i)."""
    width, x = 6, torch.randn(2, 3, 9, 6)
    turned = rotate(x, RotaryPositions(sizes(head_width=width))(9, 4, CPU).rotation)
    for row, position in enumerate(range(4, 13)):
        for pair in range(width // 2):
            theta = 10000 ** (-2 * pair / width)
            before = torch.complex(x[:, :, row, pair], x[:, :, row, pair + width // 2])
            after = torch.complex(turned[:, :, row, pair], turned[:, :, row, pair + width // 2])
            torch.testing.assert_close(after, before * cmath.exp(1j * position * theta), rtol=1e-5, atol=1e-5)


def test_local_rotary_turns_what_is_near_by_a_base_of_its_own():
    order = LocalRotaryPositions(sizes(), base=500.0, local_base=20.0)(9, 4, CPU)
    assert torch.equal(order.rotation, RotaryPositions(sizes(), base=500.0)(9, 4, CPU).rotation)
    assert torch.equal(order.local_rotation, RotaryPositions(sizes(), base=20.0)(9, 4, CPU).rotation)


def test_rotary_needs_pairs():
    with pytest.raises(ValueError, match="heads are 5 wide"):
        RotaryPositions(sizes(head_width=5))
    for share, turned in (0.5, 3), (0.1, 0):
        with pytest.raises(ValueError, match=f"heads are 6 wide and {turned} of it turn"):
            RotaryPositions(sizes(head_width=6), share=share)


def test_a_share_of_each_head_turns_as_a_narrower_head_does():
    """Black et al., 2022, section 2.1: the frequencies are those of the part that turns."""
    x = torch.randn(2, 3, 9, 16)
    turned = rotate(x, RotaryPositions(sizes(head_width=16), share=0.25)(9, 4, CPU).rotation)
    assert torch.equal(turned[..., 4:], x[..., 4:])
    assert torch.equal(turned[..., :4], rotate(x[..., :4], RotaryPositions(sizes(head_width=4))(9, 4, CPU).rotation))


def slopes_of_the_paper(heads: int) -> list[float]:
    """Press et al., 2021, section 3, and their code for numbers that are no power of two."""
    if math.log2(heads).is_integer():
        start = 2 ** (-(2 ** -(math.log2(heads) - 3)))
        return [start * start**i for i in range(heads)]
    power = 2 ** math.floor(math.log2(heads))
    return slopes_of_the_paper(power) + slopes_of_the_paper(2 * power)[0::2][: heads - power]


@pytest.mark.parametrize("heads", [1, 2, 3, 4, 6, 7, 8, 12, 16, 25])
def test_linear_bias(heads):
    bias = LinearBiasPositions(sizes(heads=heads))(4, 2, CPU).bias
    expected = torch.tensor(
        [[[-slope * abs(q - k) for k in range(6)] for q in range(2, 6)] for slope in slopes_of_the_paper(heads)]
    )
    torch.testing.assert_close(bias, expected)


def test_eight_slopes_are_those_printed_in_the_paper():
    slopes = LinearBiasPositions(sizes(heads=8)).slopes(CPU)
    torch.testing.assert_close(slopes, torch.tensor([2.0**-power for power in range(1, 9)]))


@pytest.mark.parametrize("causal", [True, False])
@pytest.mark.parametrize(("buckets", "max_distance"), [(32, 128), (12, 20), (8, 64)])
def test_relative_buckets_are_those_of_the_reference(causal, buckets, max_distance):
    positions = RelativePositions(sizes(causal=causal), buckets=buckets, max_distance=max_distance)
    distance = torch.arange(-3000, 3001)
    expected = T5Attention._relative_position_bucket(distance, not causal, buckets, max_distance)
    assert torch.equal(positions.bucket(distance), expected)


@given(distance=st.integers(-500, 500), causal=st.booleans())
def test_relative_buckets_by_hand(distance, causal):
    """Raffel et al., 2019, section 2.1: 32 buckets, half of them exact, the rest logarithmic up to 128."""
    count = 32 if causal else 16
    past = max(-distance, 0) if causal else abs(distance)
    first = 16 if distance > 0 and not causal else 0
    bucket = RelativePositions(sizes(causal=causal)).bucket(torch.tensor([distance])).item() - first
    if past < count // 2:
        assert bucket == past
    elif past >= 128:
        assert bucket == count - 1
    else:
        share = math.log(past / (count // 2)) / math.log(128 / (count // 2))
        assert abs(bucket - (count // 2 + share * (count - count // 2))) < 1 + 1e-5


def test_relative_scores_are_looked_up_by_distance():
    positions = RelativePositions(sizes(heads=3))
    bias = positions(5, 2, CPU).bias
    assert bias.shape == (3, 5, 7)
    for query in range(5):
        for key in range(7):
            bucket = positions.bucket(torch.tensor(key - (query + 2)))
            assert torch.equal(bias[:, query, key], positions.scores.weight[bucket])


def test_learned_positions_end():
    positions = LearnedPositions(sizes(max_length=50))
    assert torch.equal(positions(3, 47, CPU).added, positions.table.weight[47:])
    with pytest.raises(ValueError, match=r"51 positions, but the model has learned 50 \(model.max_length\)"):
        positions(4, 47, CPU)


def test_learned_positions_behind_an_offset():
    """BART: the first vectors are never used, and there are as many positions as without them."""
    positions = LearnedPositions(sizes(max_length=50), offset=2)
    assert positions.table.weight.shape == (52, 12)
    assert torch.equal(positions(50, 0, CPU).added, positions.table.weight[2:])
    with pytest.raises(ValueError, match=r"51 positions, but the model has learned 50 \(model.max_length\)"):
        positions(51, 0, CPU)


@given(
    rows=st.lists(st.lists(st.booleans(), min_size=7, max_size=7), min_size=1, max_size=4),
    start=st.integers(0, 6),
)
def test_counted_positions_are_those_of_the_reference(rows, start):
    """transformers' RoBERTa: padding_idx + the running number of the real token, padding_idx itself for padding."""
    positions, real = CountedPositions(sizes()), torch.tensor(rows)
    tokens = torch.where(real, 5, 1)
    expected = RobertaEmbeddings.create_position_ids_from_input_ids(tokens, padding_idx=1)[:, start:]
    assert torch.equal(positions(7 - start, start, CPU, real).added, positions.table(expected))


@given(before=st.integers(0, 5), after=st.integers(0, 5))
def test_padding_moves_no_counted_position(before, after):
    positions = CountedPositions(sizes())
    real = torch.tensor([[False] * before + [True] * 4 + [False] * after])
    added = positions(real.size(1), 0, CPU, real).added
    assert torch.equal(added[0, before : before + 4], positions(4, 0, CPU).added)
    assert torch.equal(added[~real], positions.table.weight[1].expand(before + after, -1))
