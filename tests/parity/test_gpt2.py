import pytest
import torch
import torch.nn.functional as F
from transformers import GPT2Config, GPT2LMHeadModel

SIZES = dict(vocab_size=97, n_embd=20, n_layer=3, n_head=5, n_positions=31)
SPECIAL = dict(bos_token_id=0, eos_token_id=0)


@pytest.fixture
def gpts(twins):
    return lambda **changes: twins(GPT2LMHeadModel(GPT2Config(**(SIZES | SPECIAL | changes))))


@pytest.mark.parametrize(
    "changes",
    [{}, {"n_inner": 36, "layer_norm_epsilon": 1e-3, "activation_function": "relu", "tie_word_embeddings": False}],
)
def test_scores(gpts, close, changes):
    theirs, ours, _ = gpts(**changes)
    for rows, length in (1, 1), (3, 7), (2, 31):
        tokens = torch.randint(97, (rows, length))
        assert close(ours(tokens), theirs(tokens).logits)


def given(mask):
    """Their arguments, with positions that count from the first real token, as their `generate` gives them."""
    return {"attention_mask": mask.long(), "position_ids": (torch.arange(9) - mask.long().argmax(1)[:, None]).clamp(0)}


@pytest.mark.parametrize("side", ["right", "left"])
def test_scores_with_padding(gpts, close, padded, side):
    theirs, ours, _ = gpts()
    tokens, mask, _ = padded(5, 9, pad=0, vocabulary=97, side=side)
    assert close(ours(tokens, mask)[mask], theirs(tokens, **given(mask)).logits[mask])


@pytest.mark.parametrize("side", ["right", "left"])
@pytest.mark.parametrize("changes", [{}, {"n_inner": 36, "activation_function": "relu", "tie_word_embeddings": False}])
def test_a_step(gpts, same_step, padded, changes, side):
    made = gpts(**changes)
    tokens, mask, _ = padded(3, 9, pad=0, vocabulary=97, side=side)
    labels = tokens.masked_fill(~(mask & mask.roll(1, 1)), -100)  # nothing is predicted by padding
    ours = F.cross_entropy(made.ours(tokens, mask)[:, :-1].flatten(0, 1), labels[:, 1:].flatten())
    same_step(made, ours, made.theirs(tokens, labels=labels, **given(mask)).loss)


@pytest.mark.parametrize("steps", [[1] * 11, [6, 1, 1, 3], [11]])
def test_cached_scores(gpts, close, steps):
    theirs, ours, _ = gpts()
    tokens = torch.randint(97, (2, 11))
    cache = ours.decoder.new_cache()
    scores = torch.cat([ours(part, cache=cache) for part in tokens.split(steps, 1)], 1)
    assert cache.length == 11
    assert close(scores, theirs(tokens).logits)
