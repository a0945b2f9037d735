"""Grouped-query and sliding-window attention, normed queries and keys: the same numbers as one by one."""

import itertools
import math
from functools import partial

import pytest
import torch
from torch import Tensor, nn

from variformer.layers import Attention, KeyValues, RotaryPositions, Sizes, initialise, record_attention
from variformer.layers.transformer import attention_mask

ROWS, LENGTH, WIDTH, HEADS, HEAD_WIDTH = 2, 7, 12, 4, 6
RMS = partial(nn.RMSNorm, eps=1e-6)
VARIANTS = {
    "plain": {},
    "multi-query": {"key_value_heads": 1},
    "grouped-query": {"key_value_heads": 2},
    "as many": {"key_value_heads": 4},
    "no window": {"window": 0},
    "window": {"window": 2},
    "wide window": {"window": 6},
    "normed": {"query_key_norm": RMS},
    "all": {"key_value_heads": 2, "window": 3, "query_key_norm": RMS, "scale": 0.7, "bias": False},
}
PADDING = {"none": None, "right": torch.tensor([[1] * 7, [1] * 4 + [0] * 3]).bool()}
PADDING["left"] = torch.tensor([[1] * 7, [0] * 4 + [1] * 3]).bool()
SETTINGS = list(itertools.product([False, True], ["none", "rotation", "bias"], PADDING))


def random_attention(variant: str) -> Attention:
    attention = Attention(WIDTH, HEADS, head_width=HEAD_WIDTH, **VARIANTS[variant])
    for parameter in attention.parameters():
        nn.init.normal_(parameter, 0.2, 0.5)
    return attention


def order_of(kind: str) -> tuple[Tensor | None, Tensor | None]:
    """(rotation, bias) of all positions."""
    positions = RotaryPositions(Sizes(WIDTH, HEADS, HEAD_WIDTH, LENGTH, causal=False))
    rotation = positions(LENGTH, 0, torch.device("cpu")).rotation if kind == "rotation" else None
    return rotation, torch.randn(HEADS, LENGTH, LENGTH) if kind == "bias" else None


def vector(x: Tensor, matrix: nn.Linear, head: int, norm: nn.Module | None = None, position: int | None = None):
    """What one head makes of one position: projected, normed and turned, by the papers' formulas."""
    part = slice(head * HEAD_WIDTH, (head + 1) * HEAD_WIDTH)
    y = matrix.weight[part] @ x + (0 if matrix.bias is None else matrix.bias[part])
    if isinstance(norm, nn.RMSNorm):
        y = y / (y.square().sum() / HEAD_WIDTH + 1e-6).sqrt() * norm.weight
    if position is not None:  # each pair is a complex number, turned by its angle
        half = HEAD_WIDTH // 2
        angles = torch.tensor([position * 10000 ** (-2 * i / HEAD_WIDTH) for i in range(half)])
        turned = torch.complex(y[:half], y[half:]) * torch.polar(torch.ones(half), angles)
        y = torch.cat([turned.real, turned.imag])
    return y


def naive(attention: Attention, x: Tensor, source: Tensor, sees, bias=None, turns=False) -> tuple[Tensor, Tensor]:
    """(B, Q, D) and the maps (B, H, Q, K), with loops over rows, heads, queries and keys."""
    groups = attention.key.out_features // HEAD_WIDTH
    maps = torch.zeros(len(x), HEADS, x.size(1), source.size(1))
    results = torch.zeros(len(x), x.size(1), HEADS, HEAD_WIDTH)
    for row, head in itertools.product(range(len(x)), range(HEADS)):
        shared, places = head * groups // HEADS, [place if turns else None for place in range(LENGTH)]
        read = list(zip(source[row], places, strict=False))
        keys = [vector(each, attention.key, shared, attention.key_norm, place) for each, place in read]
        values = [vector(each, attention.value, shared) for each in source[row]]
        for query in range(x.size(1)):
            q = vector(x[row, query], attention.query, head, attention.query_norm, places[query])
            weights = {}
            for key in (key for key in range(source.size(1)) if sees(row, query, key)):
                score = q @ keys[key] * attention.scale + (0 if bias is None else bias[head, query, key])
                weights[key] = score.exp()
            for key, weight in weights.items():
                maps[row, head, query, key] = weight / sum(weights.values())
                results[row, query, head] += maps[row, head, query, key] * values[key]
    return attention.output(results.flatten(2)), maps


def visible(causal: bool, padding: str, window: int | None):
    real = PADDING[padding]

    def sees(row: int, query: int, key: int) -> bool:
        near = window is None or abs(query - key) <= window
        return near and not (causal and key > query) and (real is None or bool(real[row, key]))

    return sees


@torch.no_grad()
@pytest.mark.parametrize("variant", VARIANTS)
def test_every_number(variant):
    attention = random_attention(variant)
    for causal, order, padding in SETTINGS:
        x, (rotation, bias) = torch.randn(ROWS, LENGTH, WIDTH), order_of(order)
        mask, flag = attention_mask(PADDING[padding], bias, causal, x, LENGTH)
        sees = visible(causal, padding, VARIANTS[variant].get("window"))
        expected, maps = naive(attention, x, x, sees, bias, turns=rotation is not None)
        ours = attention(x, mask=mask, causal=flag, rotation=rotation)
        torch.testing.assert_close(ours, expected, rtol=1e-4, atol=1e-5, msg=str((causal, order, padding)))
        with record_attention(attention) as recorded:
            again = attention(x, mask=mask, causal=flag, rotation=rotation)
        torch.testing.assert_close(again, expected, rtol=1e-4, atol=1e-5)
        torch.testing.assert_close(recorded[""][0], maps, rtol=1e-4, atol=1e-5)


@torch.no_grad()
@pytest.mark.parametrize("variant", VARIANTS)
def test_step_by_step(variant):
    """Over the cache, which holds each key and value once, however many heads read it."""
    attention = random_attention(variant)
    for steps, order in itertools.product([[1] * 7, [3, 1, 2, 1]], ["none", "rotation", "bias"]):
        x, (rotation, bias) = torch.randn(ROWS, LENGTH, WIDTH), order_of(order)
        expected, _ = naive(
            attention, x, x, visible(True, "none", VARIANTS[variant].get("window")), bias, rotation is not None
        )
        cache, outputs, end = KeyValues(), [], 0
        for part in x.split(steps, 1):
            start, end = end, end + part.size(1)
            mask, flag = attention_mask(None, None if bias is None else bias[:, start:end, :end], True, part, end)
            turn = None if rotation is None else rotation[:, start:end]
            outputs.append(attention(part, mask=mask, causal=flag, rotation=turn, cache=cache))
            assert cache.keys.shape == (ROWS, attention.key_value_heads, end, HEAD_WIDTH)
        torch.testing.assert_close(torch.cat(outputs, 1), expected, rtol=1e-4, atol=1e-5)


@torch.no_grad()
@pytest.mark.parametrize("variant", VARIANTS)
def test_over_a_source(variant):
    """A window is a matter of distances, and a source has none to the queries."""
    attention, x, source = random_attention(variant), torch.randn(ROWS, 5, WIDTH), torch.randn(ROWS, LENGTH, WIDTH)
    for padding, real in PADDING.items():
        expected, _ = naive(attention, x, source, visible(False, padding, None))
        mask, cache = None if real is None else real[:, None, None], KeyValues()
        torch.testing.assert_close(attention(x, source, mask=mask), expected, rtol=1e-4, atol=1e-5)
        parts = [attention(part, source, mask=mask, cache=cache) for part in x.split([2, 1, 2], 1)]
        torch.testing.assert_close(torch.cat(parts, 1), expected, rtol=1e-4, atol=1e-5)


def test_grouped_heads_equal_copied_ones():
    """Grouped-query attention is multi-head attention with equal heads of keys and values (Ainslie et al., 2023)."""
    fewer, whole = random_attention("grouped-query"), random_attention("plain")
    whole.load_state_dict(
        fewer.state_dict()
        | {
            name: value.unflatten(0, (2, -1)).repeat_interleave(2, 0).flatten(0, 1)
            for name, value in fewer.state_dict().items()
            if name.startswith(("key", "value"))
        }
    )
    x = torch.randn(ROWS, LENGTH, WIDTH)
    torch.testing.assert_close(fewer(x, causal=True), whole(x, causal=True))
    fewer(x, causal=True).square().sum().backward()
    whole(x, causal=True).square().sum().backward()
    copies = whole.key.weight.grad.unflatten(0, (2, 2, HEAD_WIDTH)).sum(1).flatten(0, 1)
    torch.testing.assert_close(fewer.key.weight.grad, copies, rtol=1e-4, atol=1e-4)


def test_the_norm_is_the_callers_choice():
    attention, x = Attention(WIDTH, HEADS, query_key_norm=nn.LayerNorm), torch.randn(ROWS, LENGTH, WIDTH)
    assert attention.query_norm.normalized_shape == attention.key_norm.normalized_shape == (WIDTH // HEADS,)
    before = attention(x)
    with torch.no_grad():
        attention.query.weight *= 100
        attention.query.bias *= 100
    torch.testing.assert_close(attention(x), before, rtol=1e-3, atol=1e-3)


@pytest.mark.parametrize("variant", VARIANTS)
def test_what_is_plain(variant):
    assert random_attention(variant).plain == (variant in ("plain", "as many"))


def test_what_does_not_fit_is_refused():
    for wrong in 3, 0, 8:
        with pytest.raises(ValueError, match=rf"{wrong} heads of keys do not divide 4 heads \(key_value_heads"):
            Attention(WIDTH, HEADS, key_value_heads=wrong)
    with pytest.raises(ValueError, match="window of -1"):
        Attention(WIDTH, HEADS, window=-1)


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
@pytest.mark.parametrize("variant", VARIANTS)
def test_half_precision(variant, dtype):
    """By autocast, and whole: one type of number reaches the kernel."""
    attention, x = random_attention(variant).to(dtype), torch.randn(ROWS, LENGTH, WIDTH, dtype=dtype)
    with torch.autocast("cpu", torch.bfloat16, enabled=dtype == torch.float32):
        y = attention(x, causal=True)
    assert y.dtype == torch.bfloat16 and y.isfinite().all()


@torch.no_grad()
@pytest.mark.parametrize("scale", [1.0, 0.2])
@pytest.mark.parametrize("variant", ["plain", "grouped-query", "normed"])
def test_first_scores_of_t5_have_unit_variance(variant, scale):
    """As the reference's; with fewer heads of keys, each is drawn as before."""
    model = nn.Sequential(Attention(256, 8, bias=False, **{**VARIANTS[variant], "scale": scale}))
    initialise.t5(model, 256)
    attention, x = model[0], torch.randn(4, 64, 256)
    assert attention.key.weight.std() * math.sqrt(256) == pytest.approx(1, abs=0.02)
    with record_attention(model) as maps:
        attention(x)
    scores = maps["0"][0].log()
    assert (scores - scores.mean(-1, keepdim=True)).std() == pytest.approx(1, abs=0.15)


@pytest.mark.parametrize("variant", ["grouped-query", "window", "all"])
def test_the_whole_graph_can_be_captured(variant):
    attention, x = random_attention(variant), torch.randn(ROWS, LENGTH, WIDTH)
    compiled = torch.compile(attention, fullgraph=True, backend="eager")
    torch.testing.assert_close(compiled(x, causal=True), attention(x, causal=True))
