import pytest
import torch
import torch.nn.functional as F
from torch import nn
from transformers import T5Config, T5ForConditionalGeneration

# Distances beyond the furthest bucket occur within the 40 tokens of the tests.
SIZES = dict(
    vocab_size=103,
    d_model=24,
    d_kv=6,
    d_ff=28,
    num_layers=3,
    num_heads=5,
    relative_attention_num_buckets=12,
    relative_attention_max_distance=20,
)


SPECIAL = dict(pad_token_id=0, eos_token_id=1, decoder_start_token_id=0)


def version_1_0(**changes):
    return T5ForConditionalGeneration(T5Config(**SIZES, **SPECIAL, **changes))


def version_1_1():
    """With a head of its own, as in the released checkpoints; transformers 5 ties a fresh one."""
    model = version_1_0(feed_forward_proj="gated-gelu", tie_word_embeddings=False)
    model.lm_head.weight = nn.Parameter(torch.randn(103, 24))
    return model


def shallow_decoder():
    return version_1_0(num_decoder_layers=2)


def deep_decoder():
    return version_1_0(num_decoder_layers=4, feed_forward_proj="gated-gelu")


@pytest.fixture(params=[version_1_0, version_1_1, shallow_decoder, deep_decoder])
def t5s(request, twins):
    return twins(request.param())


def test_heads(t5s):
    theirs, ours, _ = t5s
    tied = theirs.lm_head.weight is theirs.shared.weight
    assert (ours.head.scores.weight is ours.encoder.embedding.tokens.weight) == tied


def test_scores_with_padding(t5s, close):
    theirs, ours, _ = t5s
    for rows, source_length, target_length in (1, 1, 1), (3, 7, 5), (2, 40, 33):
        source, target = torch.randint(103, (rows, source_length)), torch.randint(103, (rows, target_length))
        source_mask = torch.arange(source_length) < torch.arange(source_length, source_length - rows, -1)[:, None]
        target_mask = torch.arange(target_length) < torch.arange(target_length, target_length - rows, -1)[:, None]
        expected = theirs(
            source,
            source_mask.long(),
            decoder_input_ids=target,
            decoder_attention_mask=target_mask.long(),
        ).logits
        assert close(ours(source, target, source_mask, target_mask)[target_mask], expected[target_mask])


@pytest.mark.parametrize("side", ["right", "left"])
def test_a_step(t5s, same_step, close, padded, side):
    source, target = padded(3, 27, pad=0, vocabulary=103, side=side), padded(3, 11, pad=0, vocabulary=103)
    labels = target.tokens.masked_fill(~target.mask, -100)
    shifted = torch.cat([torch.zeros(3, 1, dtype=torch.long), target.tokens[:, :-1]], 1)
    scores = t5s.ours(source.tokens, shifted, source.mask)
    theirs = t5s.theirs(source.tokens, source.mask.long(), labels=labels)
    assert close(scores, theirs.logits)
    same_step(t5s, F.cross_entropy(scores.flatten(0, 1), labels.flatten()), theirs.loss)


@pytest.mark.parametrize("changes", [{"feed_forward_proj": "gated-silu"}, {"layer_norm_epsilon": 1e-2}])
def test_other_configs(twins, close, changes):
    theirs, ours, _ = twins(version_1_0(**changes))
    source, target = torch.randint(103, (2, 6)), torch.randint(103, (2, 4))
    assert close(ours(source, target), theirs(source, decoder_input_ids=target).logits)


def test_a_tied_head_without_scale(twins, close):
    """What transformers 5 makes of version 1.1 from scratch; ours then holds the embedding's copy."""
    theirs, ours, _ = twins(version_1_0(feed_forward_proj="gated-gelu", tie_word_embeddings=False))
    assert torch.equal(ours.head.scores.weight, ours.encoder.embedding.tokens.weight)
    source, target = torch.randint(103, (2, 6)), torch.randint(103, (2, 4))
    assert close(ours(source, target), theirs(source, decoder_input_ids=target).logits)


@pytest.mark.parametrize("steps", [[1] * 25, [20, 1, 4]])
def test_cached_scores(t5s, close, steps):
    theirs, ours, _ = t5s
    source, target = torch.randint(103, (2, 9)), torch.randint(103, (2, 25))
    mask = torch.arange(9) < torch.tensor([9, 4])[:, None]
    memory, cache = ours.encode(source, mask), ours.decoder.new_cache()
    scores = torch.cat([ours.decode(part, memory, mask, cache=cache) for part in target.split(steps, 1)], 1)
    assert close(scores, theirs(source, mask.long(), decoder_input_ids=target).logits)
