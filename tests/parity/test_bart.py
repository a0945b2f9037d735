import pytest
import torch
import torch.nn.functional as F
from transformers import BartConfig, BartForConditionalGeneration

SIZES = dict(
    vocab_size=53,
    d_model=15,
    encoder_layers=3,
    decoder_layers=3,
    encoder_attention_heads=3,
    decoder_attention_heads=3,
    encoder_ffn_dim=22,
    decoder_ffn_dim=22,
    max_position_embeddings=33,
)


CHANGES = {
    "gelu": dict(activation_function="gelu"),
    "relu": dict(activation_function="relu"),
    "shallow decoder": dict(decoder_layers=1),  # as the distilled summarisers have it
    "deep decoder": dict(encoder_layers=1),
}


@pytest.fixture(params=CHANGES)
def barts(request, twins):
    return twins(BartForConditionalGeneration(BartConfig(**SIZES | CHANGES[request.param])))


@pytest.mark.parametrize("side", ["right", "left"])
def test_scores(barts, close, padded, side):
    theirs, ours, _ = barts
    for rows, source_length, target_length in (1, 1, 1), (3, 7, 5), (2, 33, 31):
        source = padded(rows, source_length, pad=1, vocabulary=53, side=side)
        target = padded(rows, target_length, pad=1, vocabulary=53)
        expected = theirs(
            source.tokens,
            source.mask.long(),
            decoder_input_ids=target.tokens,
            decoder_attention_mask=target.mask.long(),
        ).logits
        found = ours(source.tokens, target.tokens, source.mask, target.mask)
        assert close(found[target.mask], expected[target.mask])


@pytest.mark.parametrize("steps", [[1] * 25, [20, 1, 4]])
def test_cached_scores(barts, close, padded, steps):
    theirs, ours, _ = barts
    source, target = padded(2, 9, pad=1, vocabulary=53), torch.randint(53, (2, 25))
    memory, cache = ours.encode(source.tokens, source.mask), ours.decoder.new_cache()
    scores = torch.cat([ours.decode(part, memory, source.mask, cache=cache) for part in target.split(steps, 1)], 1)
    assert close(scores, theirs(source.tokens, source.mask.long(), decoder_input_ids=target).logits)


@pytest.mark.parametrize("side", ["right", "left"])
def test_a_step(barts, same_step, padded, side):
    theirs, ours, _ = barts
    source, target = padded(3, 9, pad=1, vocabulary=53, side=side), padded(3, 7, pad=1, vocabulary=53)
    labels = target.tokens.masked_fill(~target.mask, -100)
    shifted = torch.cat([torch.full((3, 1), 2), target.tokens[:, :-1]], 1)
    scores = ours(source.tokens, shifted, source.mask)
    loss = F.cross_entropy(scores.flatten(0, 1), labels.flatten())
    same_step(barts, loss, theirs(source.tokens, source.mask.long(), labels=labels).loss)
