"""`generate` of transformers over the code in a folder: with and without the cache, in batches, by beams."""

from types import SimpleNamespace

import numpy as np
import pytest
import torch
import transformers as hf

from variformer.generation import Decoding
from variformer.generation import generate as generate_ours

from .conftest import SYSTEMS, part
from .test_scores import loaded

POSITIONS = [
    *("Positions", "LearnedPositions", "CountedPositions", "SinusoidalPositions"),
    *("RotaryPositions", "RelativePositions", "LinearBiasPositions"),
]
COUNT = 9
TOKENIZER = SimpleNamespace(  # as much of one as is asked for
    size=17,
    pad=0,
    start=1,
    end=0,
    special=np.arange(17) < 3,
    byte_tokens=np.zeros(17, dtype=bool),
    decode=lambda ids: "",
)


def generate(model, tokens, **options):
    """(B, COUNT) new tokens."""
    with torch.no_grad():
        options = {"max_new_tokens": COUNT, "do_sample": False, "eos_token_id": None, "pad_token_id": 0, **options}
        return model.generate(tokens, **options)[:, -COUNT:]


def written_by_ours(model, tokens):
    """(B, COUNT) new tokens."""
    written = generate_ours(model, tokens.tolist(), Decoding(COUNT), tokenizer=TOKENIZER, ends=[])
    return torch.tensor([each.tokens for (each,) in written])


@pytest.mark.parametrize("attention", [{}, {"window": 4}], ids=["all", "window"])
@pytest.mark.parametrize("positions", POSITIONS)
def test_a_decoder_writes_what_ours_writes(written, positions, attention):
    ours, folder = written(
        {**SYSTEMS["gpt"], "positions": part(positions), "attention": part("Attention", **attention)}
    )
    theirs = loaded(folder, hf.AutoModelForCausalLM)
    tokens = torch.randint(3, 17, (3, 5))
    expected = written_by_ours(ours, tokens)
    assert torch.equal(generate(theirs, tokens), expected)
    assert torch.equal(generate(theirs, tokens, use_cache=False), expected)
    assert torch.equal(generate(theirs, tokens, num_beams=3), generate(theirs, tokens, num_beams=3, use_cache=False))


@pytest.mark.parametrize("use_cache", [True, False])
@pytest.mark.parametrize("positions", POSITIONS)
def test_padding_on_the_left_changes_no_token(written, positions, use_cache):
    """A batch of texts of several lengths writes what each text alone does."""
    _, folder = written({**SYSTEMS["gpt"], "positions": part(positions)})
    model = loaded(folder, hf.AutoModelForCausalLM)
    rows = [torch.randint(3, 17, (1, length)) for length in (2, 6, 4)]
    tokens, mask = torch.zeros(3, 6, dtype=torch.long), torch.zeros(3, 6, dtype=torch.long)
    for number, row in enumerate(rows):
        tokens[number, 6 - row.size(1) :], mask[number, 6 - row.size(1) :] = row, 1
    together = generate(model, tokens, attention_mask=mask, use_cache=use_cache)
    alone = torch.cat([generate(model, row, use_cache=use_cache) for row in rows])
    assert torch.equal(together, alone)
    scores = model(tokens, mask).logits
    for number, row in enumerate(rows):
        expected = model(row).logits[0]
        assert (scores[number, 6 - row.size(1) :] - expected).abs().max() <= 1e-5 * expected.abs().max()


@pytest.mark.parametrize("system", ["t5", "bart"])
@pytest.mark.parametrize("positions", ["RotaryPositions", "SinusoidalPositions", "RelativePositions"])
def test_an_encoder_decoder_writes_what_ours_writes(written, system, positions):
    ours, folder = written({**SYSTEMS[system], "positions": part(positions), "norm": part("RMSNorm")})
    theirs = loaded(folder, hf.AutoModelForSeq2SeqLM)
    tokens = torch.randint(3, 17, (3, 5))
    expected = written_by_ours(ours, tokens)
    assert torch.equal(generate(theirs, tokens), expected)
    assert torch.equal(generate(theirs, tokens, use_cache=False), expected)
    assert torch.equal(generate(theirs, tokens, num_beams=3), generate(theirs, tokens, num_beams=3, use_cache=False))
    padded = torch.cat([tokens, torch.zeros(3, 2, dtype=torch.long)], 1)
    mask = torch.tensor([[1] * 5 + [0] * 2] * 3)
    assert torch.equal(generate(theirs, padded, attention_mask=mask), expected)


def test_another_cache_is_refused(written):
    _, folder = written(SYSTEMS["gpt"])
    with pytest.raises(TypeError, match="past_key_values is a DynamicCache, but must be what this model returned"):
        loaded(folder, hf.AutoModelForCausalLM)(torch.ones(1, 2, dtype=torch.long), past_key_values=hf.DynamicCache())


def test_an_unknown_argument_of_generate_is_refused(written):
    _, folder = written(SYSTEMS["gpt"])
    with pytest.raises(ValueError, match="beems"):
        generate(loaded(folder, hf.AutoModelForCausalLM), torch.ones(1, 2, dtype=torch.long), beems=3)


def test_a_decoder_needs_its_target(written):
    _, folder = written(SYSTEMS["t5"])
    with pytest.raises(ValueError, match="decoder_input_ids or labels"):
        loaded(folder, hf.AutoModelForSeq2SeqLM)(torch.ones(1, 2, dtype=torch.long))
