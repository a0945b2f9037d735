"""Step by step over the cache, packed, padded: the same numbers as all at once, alone, unpadded."""

import pytest
import torch
from systems import BY_DISTANCE, FAMILIES, MASKED, READING_TWO, SCHEMES, SMALL, VOCABULARY, drawn, small
from torch import nn

from variformer import layers

ENCODERS = [family for family in FAMILIES if family in MASKED]


def build(system: str, scheme: type, **changes) -> nn.Module:
    torch.manual_seed(0)
    return drawn(small(system, positions=scheme, **changes), 0.0, 0.4).eval()


def assert_close(ours, expected):
    torch.testing.assert_close(ours, expected, rtol=0, atol=1e-5 * expected.abs().max().item())


@pytest.mark.parametrize("scheme", SCHEMES)
@pytest.mark.parametrize("block", [layers.PreNormBlock, layers.ParallelBlock, layers.PostNormBlock])
def test_cached_equals_uncached(scheme, block):
    model = build("gpt", scheme, block=block)
    tokens = torch.randint(VOCABULARY, (2, 11))
    for steps in [1] * 11, [4, 1, 5, 1]:
        cache = model.decoder.new_cache()
        scores = torch.cat([model(part, cache=cache) for part in tokens.split(steps, 1)], 1)
        assert_close(scores, model(tokens))


@pytest.mark.parametrize("scheme", SCHEMES)
@pytest.mark.parametrize("depth", [None, 1, 3])
@pytest.mark.parametrize("model", READING_TWO)
def test_cached_equals_uncached_with_a_memory(model, depth, scheme):
    model = build(model, scheme, decoder_depth=depth)
    assert len(model.decoder.new_cache().blocks) == (depth or SMALL["depth"])
    source, target = torch.randint(VOCABULARY, (2, 7)), torch.randint(VOCABULARY, (2, 11))
    mask = torch.arange(7) < torch.tensor([7, 3])[:, None]
    memory = model.encode(source, mask)
    for steps in [1] * 11, [4, 1, 5, 1]:
        cache = model.decoder.new_cache()
        parts = [model.decode(part, memory, mask, cache=cache) for part in target.split(steps, 1)]
        assert_close(torch.cat(parts, 1), model(source, target, mask))


@pytest.mark.parametrize("scheme", SCHEMES)
def test_padding_is_not_seen(scheme):
    lengths = torch.tensor([9, 5, 1])
    tokens, mask = torch.randint(VOCABULARY, (3, 9)), torch.arange(9) < lengths[:, None]
    encoders, decoders = [build(each, scheme) for each in ENCODERS], [build(each, scheme) for each in READING_TWO]
    gpt = build("gpt", scheme)

    def predict(tokens, mask=None):
        found = [encoder(tokens, mask).tokens for encoder in encoders]
        return [*found, gpt(tokens, mask), *(model(tokens, tokens, mask, mask) for model in decoders)]

    bert = build("bert", scheme)
    padded, pairs = predict(tokens, mask), bert(tokens, mask).pair
    for row, length in enumerate(lengths):
        alone = tokens[row : row + 1, :length]
        for scores, expected in zip(padded, predict(alone), strict=True):
            assert_close(scores[row : row + 1, :length], expected)
        assert_close(pairs[row], bert(alone).pair[0])


@pytest.mark.parametrize("scheme", SCHEMES)
def test_padding_on_the_left_is_not_seen(scheme):
    """All at once, and over the cache. What stands before the text sees nothing at all, and must not be NaN."""
    model = build("gpt", scheme)
    tokens, mask = torch.randint(VOCABULARY, (2, 9)), torch.arange(9) >= torch.tensor([0, 4])[:, None]
    scores, cache = model(tokens, mask), model.new_cache()
    assert scores.isfinite().all()
    assert_close(scores[1:, 4:], model(tokens[1:, 4:]))
    for end, part in zip((6, 7, 8, 9), tokens.split([6, 1, 1, 1], 1), strict=True):
        assert_close(model.next_scores(part, mask[:, :end], cache), scores[:, end - 1])


@pytest.mark.parametrize("scheme", [layers.LearnedPositions, layers.CountedPositions])
def test_padding_on_the_left_takes_no_learned_position(scheme):
    model = build("gpt", scheme)  # which has 20
    tokens, mask = torch.randint(VOCABULARY, (1, 24)), torch.arange(24)[None] >= 4
    assert_close(model(tokens, mask)[:, 4:], model(tokens[:, 4:]))
    with pytest.raises(ValueError, match=r"21 positions, but the model has learned 20"):
        model(torch.cat([tokens, tokens[:, :1]], 1), torch.arange(25)[None] >= 4)


def test_the_cache_is_written_in_place_and_keeps_chosen_rows():
    model, rows = build("gpt", layers.RotaryPositions), torch.tensor([2, 0, 0])
    tokens = torch.randint(VOCABULARY, (3, 11))
    cache = model.new_cache()
    model(tokens[:, :6], cache=cache)
    places = set()
    for place in range(6, 11):
        scores = model(tokens[:, place : place + 1], cache=cache)
        places.add(cache.blocks[0].self_attention.buffer.data_ptr())
    assert len(places) == 1  # it was doubled once, from 6 to 12
    assert_close(scores[:, 0], model(tokens)[:, -1])
    for block in cache.blocks:
        block.self_attention.keep(rows)
    further = torch.randint(VOCABULARY, (3, 1))
    assert_close(model(further, cache=cache)[:, 0], model(torch.cat([tokens[rows], further], 1))[:, -1])


@pytest.mark.parametrize("model", ENCODERS)
def test_counted_positions_do_not_see_padding_on_the_left_either(model):
    model = build(model, layers.CountedPositions)
    tokens, mask = torch.randint(VOCABULARY, (2, 9)), torch.arange(9) >= torch.tensor([0, 4])[:, None]
    assert_close(model(tokens, mask).tokens[1:, 4:], model(tokens[1:, 4:]).tokens)


@pytest.mark.parametrize("scheme", BY_DISTANCE)
@pytest.mark.parametrize("model", ["gpt", *ENCODERS])
def test_packed_documents_equal_separate_ones(model, scheme):
    """A (B, T, T) mask keeps documents in one row apart; a causal model stays causal within each."""
    model = build(model, scheme)
    predict = lambda *inputs: scores.tokens if hasattr(scores := model(*inputs), "tokens") else scores  # noqa: E731
    tokens = torch.randint(VOCABULARY, (2, 12))
    document = torch.tensor([[0] * 5 + [1] * 4 + [2] * 3, [0] * 1 + [1] * 11])
    packed = predict(tokens, document[:, :, None] == document[:, None])
    for row in range(2):
        separate = [predict(tokens[row : row + 1, document[row] == number]) for number in document[row].unique()]
        assert_close(packed[row : row + 1], torch.cat(separate, 1))


def test_a_row_longer_than_the_learned_positions_is_refused():
    model = build("gpt", layers.LearnedPositions)
    cache = model.decoder.new_cache()
    model(torch.zeros(1, 20, dtype=torch.long), cache=cache)
    for cached in cache, None:
        with pytest.raises(ValueError, match=r"21 positions, but the model has learned 20 \(model.max_length\)"):
            model(torch.zeros(1, 1 if cached else 21, dtype=torch.long), cache=cached)
