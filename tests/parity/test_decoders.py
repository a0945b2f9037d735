"""GPT-NeoX, Llama, Mistral, Qwen3, Bloom and MPT: each a GPT of other parts."""

from functools import partial

import pytest
import torch
import torch.nn.functional as F
import transformers as hf

VOCABULARY, LENGTH = 97, 31
SIZES = dict(
    vocab_size=VOCABULARY,
    hidden_size=24,
    num_hidden_layers=3,
    num_attention_heads=3,
    intermediate_size=36,
    max_position_embeddings=LENGTH,
    bos_token_id=0,
    eos_token_id=0,
)
NEOX = partial(hf.GPTNeoXConfig, **SIZES)
LLAMA = partial(hf.LlamaConfig, **SIZES)
MISTRAL = partial(hf.MistralConfig, **SIZES, num_key_value_heads=1)
QWEN3 = partial(hf.Qwen3Config, **SIZES, head_dim=6)
BLOOM = partial(hf.BloomConfig, vocab_size=VOCABULARY, hidden_size=24, n_layer=3, n_head=3, bos_token_id=0)
MPT = partial(hf.MptConfig, vocab_size=VOCABULARY, d_model=24, n_layers=3, max_seq_len=LENGTH)
NOTHING = r"(?!)"  # keys turn, or their biases are a part of a larger tensor: each gradient is one
ROPE = dict(rope_type="default", rope_theta=500.0)
MODELS = {
    "gpt_neox": lambda: hf.GPTNeoXForCausalLM(NEOX()),
    "gpt_neox, sequential": lambda: hf.GPTNeoXForCausalLM(
        NEOX(
            use_parallel_residual=False,
            tie_word_embeddings=True,
            attention_bias=False,
            hidden_act="relu",
            layer_norm_eps=1e-3,
            rope_parameters=ROPE | dict(partial_rotary_factor=1.0),
        )
    ),
    "llama": lambda: hf.LlamaForCausalLM(LLAMA()),
    "llama, grouped": lambda: hf.LlamaForCausalLM(
        LLAMA(
            num_key_value_heads=1,
            tie_word_embeddings=True,
            attention_bias=True,
            mlp_bias=True,
            head_dim=4,
            rms_norm_eps=1e-3,
            rope_parameters=dict(ROPE),
        )
    ),
    "mistral": lambda: hf.MistralForCausalLM(MISTRAL(sliding_window=4)),
    "mistral, a window of one": lambda: hf.MistralForCausalLM(MISTRAL(sliding_window=1, head_dim=10)),
    "mistral without a window": lambda: hf.MistralForCausalLM(MISTRAL(sliding_window=None, hidden_act="gelu")),
    "qwen3": lambda: hf.Qwen3ForCausalLM(QWEN3(num_key_value_heads=3)),
    "qwen3, grouped": lambda: hf.Qwen3ForCausalLM(
        QWEN3(num_key_value_heads=1, tie_word_embeddings=True, attention_bias=True, rms_norm_eps=1e-3)
    ),
    "bloom": lambda: hf.BloomForCausalLM(BLOOM(layer_norm_epsilon=1e-3)),
    "mpt": lambda: hf.MptForCausalLM(MPT(n_heads=3)),
    "mpt, untied": lambda: hf.MptForCausalLM(MPT(tie_word_embeddings=False, n_heads=4, layer_norm_epsilon=1e-3)),
}


@pytest.fixture
def gpts(twins):
    return lambda name: twins(MODELS[name]())


@pytest.mark.parametrize("name", MODELS)
def test_scores(gpts, close, name):
    theirs, ours, _ = gpts(name)
    for rows, length in (1, 1), (3, 7), (2, LENGTH):
        tokens = torch.randint(VOCABULARY, (rows, length))
        assert close(ours(tokens), theirs(tokens).logits)


@pytest.mark.parametrize("side", ["right", "left"])
@pytest.mark.parametrize("name", MODELS)
def test_scores_with_padding(gpts, close, padded, name, side):
    """Theirs may count positions from the first real token: turned pairs and linear biases know distances alone."""
    theirs, ours, _ = gpts(name)
    tokens, mask, _ = padded(5, 9, pad=0, vocabulary=VOCABULARY, side=side)
    assert close(ours(tokens, mask)[mask], theirs(tokens, attention_mask=mask.long()).logits[mask])


@pytest.mark.parametrize("side", ["right", "left"])
@pytest.mark.parametrize("name", MODELS)
def test_a_step(gpts, same_step, padded, name, side):
    made = gpts(name)
    tokens, mask, _ = padded(3, 9, pad=0, vocabulary=VOCABULARY, side=side)
    labels = tokens.masked_fill(~(mask & mask.roll(1, 1)), -100)  # nothing is predicted by padding
    ours = F.cross_entropy(made.ours(tokens, mask)[:, :-1].flatten(0, 1), labels[:, 1:].flatten())
    theirs = made.theirs(tokens, attention_mask=mask.long(), labels=labels).loss
    same_step(made, ours, theirs, zero=NOTHING)


@pytest.mark.parametrize("steps", [[1] * 11, [6, 1, 1, 3], [11]])
@pytest.mark.parametrize("name", MODELS)
def test_cached_scores(gpts, close, name, steps):
    theirs, ours, _ = gpts(name)
    tokens = torch.randint(VOCABULARY, (2, 11))
    cache = ours.decoder.new_cache()
    scores = torch.cat([ours(part, cache=cache) for part in tokens.split(steps, 1)], 1)
    assert cache.length == 11
    assert close(scores, theirs(tokens).logits)
