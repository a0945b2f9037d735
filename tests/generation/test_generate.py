"""What is written: where it ends, what it depends on, and what it does not."""

from collections import Counter
from itertools import permutations

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from variformer.generation import Decoding, generate
from variformer.generation.choosing import Choice
from variformer.layers import LearnedPositions, RotaryPositions
from variformer.models import Bert
from variformer.randomness import uniform

from .conftest import FAMILIES, letters

PROMPTS = [[5, 6, 7, 8, 9, 10, 11, 12], [13, 14], [15, 16, 17, 18]]
SAMPLED = Decoding(12, temperature=1.1, top_p=0.95, samples=2, seed=3)


def tokens_of(written):
    return [[each.tokens for each in texts] for texts in written]


@pytest.mark.parametrize(
    "decoding", [Decoding(12), SAMPLED, Decoding(12, beams=3, samples=2)], ids=["greedy", "sampled", "beams"]
)
@pytest.mark.parametrize("family", FAMILIES)
def test_a_text_does_not_depend_on_its_batch(written, tokenizer, family, decoding):
    """Neither on the size of the batch, nor on its order, nor on the lengths of other prompts."""
    model = written(family)
    write = lambda prompts: tokens_of(generate(model, prompts, decoding, tokenizer=tokenizer, ends=[1, 20, 21]))  # noqa: E731
    alone = [write([prompt])[0] for prompt in PROMPTS]
    assert len({str(each) for texts in alone for each in texts}) > 1
    for order in permutations(range(3)):
        assert write([PROMPTS[place] for place in order]) == [alone[place] for place in order]
    assert write([*PROMPTS, PROMPTS[0]]) == [*alone, alone[0]]


@pytest.mark.parametrize("family", FAMILIES)
def test_a_text_equals_a_loop_without_cache(written, tokenizer, family):
    model = written(family)
    ((found,),) = generate(model, PROMPTS[:1], Decoding(12), tokenizer=tokenizer, ends=[])
    tokens = torch.tensor(PROMPTS[:1]) if family == "gpt" else torch.tensor([[0 if family == "t5" else 1]])
    likely = 0.0
    for _ in range(12):
        with torch.no_grad():
            scores = model(tokens)[:, -1] if family == "gpt" else model(torch.tensor(PROMPTS[:1]), tokens)[:, -1]
        best = scores.argmax(-1, keepdim=True)
        likely += scores.log_softmax(-1).gather(1, best).item()
        tokens = torch.cat([tokens, best], 1)
    assert found.tokens == tokens[0, -12:].tolist()
    assert found.score == pytest.approx(likely, rel=1e-5)


def test_samples_differ_and_follow_the_seed(written, tokenizer):
    model = written("gpt")
    texts = [
        tokens_of(generate(model, PROMPTS, Decoding(10, 1.0, samples=3, seed=seed), tokenizer=tokenizer))
        for seed in (0, 0, 1)
    ]
    assert texts[0] == texts[1] != texts[2]
    assert len({str(each) for each in texts[0][0]}) == 3


def test_random_tokens_have_the_probabilities_of_their_scores():
    scores = torch.tensor([[0.0, 1.0, -torch.inf, 2.0]]).expand(40000, 4)
    keys = np.arange(40000, dtype=np.uint64)
    tokens = Choice(2.0, None, 1.0, 0.0)(scores, uniform(keys, 1)[:, 0])
    shares = tokens.bincount(minlength=4) / len(tokens)
    torch.testing.assert_close(shares, (scores[0] / 2).softmax(-1), atol=0.01, rtol=0)
    assert shares[2] == 0


@given(
    draw=st.floats(0, 1, exclude_max=True), top_k=st.integers(1, 40), top_p=st.floats(0.05, 1.0), min_p=st.floats(0, 1)
)
def test_a_token_that_is_left_out_is_never_drawn(draw, top_k, top_p, min_p):
    scores = torch.randn(4, 40, generator=torch.Generator().manual_seed(0))
    choice = Choice(0.8, top_k, top_p, min_p)
    tokens = choice(scores, np.full(4, draw))
    assert choice.filtered(scores).gather(1, tokens[:, None]).isfinite().all()


def test_a_text_says_why_it_ends(written, tokenizer):
    model, prompts = written("gpt"), [PROMPTS[1]]
    write = lambda decoding, **options: generate(model, prompts, decoding, tokenizer=tokenizer, **options)[0][0]  # noqa: E731
    whole = write(Decoding(12), ends=[])
    assert whole.ended == "count" and len(whole.tokens) == 12 and whole.text == tokenizer.decode(whole.tokens)
    third = write(Decoding(12), ends=[whole.tokens[2]])
    place = whole.tokens.index(whole.tokens[2]) + 1
    assert (third.ended, third.tokens) == ("end", whole.tokens[:place])
    stopped = write(Decoding(12, stop=(whole.text[1:3],)), ends=[])
    assert stopped.ended == "stop" and stopped.text == whole.text[: whole.text.index(whole.text[1:3])]
    short = write(Decoding(100), ends=[], longest=9)
    assert (short.ended, short.tokens) == ("length", whole.tokens[:7])


def test_learned_positions_end_a_text_and_others_do_not(written, tokenizer):
    for scheme, ended, length in (LearnedPositions, "length", 12), (RotaryPositions, "count", 30):
        model = written("gpt", max_length=14, positions=scheme)
        (first,), (second,) = generate(model, PROMPTS[1:], Decoding(30), tokenizer=tokenizer, ends=[])
        assert (first.ended, len(first.tokens)) == (ended, length)
        assert len(second.tokens) == (10 if scheme is LearnedPositions else 30)
    alone = generate(written("gpt", max_length=14), PROMPTS[1:2], Decoding(30), tokenizer=tokenizer, ends=[])
    together = generate(written("gpt", max_length=14), PROMPTS, Decoding(30), tokenizer=tokenizer, ends=[])
    assert together[1] == alone[0]  # though the longest prompt is padded with more than its positions


def test_the_memory_is_projected_once_for_all_beams(written, tokenizer):
    calls = []
    model = written("t5")
    model.decoder.blocks[0].cross_attention.key.register_forward_hook(lambda *call: calls.append(call[1][0].shape[0]))
    generate(model, PROMPTS, Decoding(8, beams=3), tokenizer=tokenizer)
    assert calls == [3]


def test_the_model_stays_as_it_was(written, tokenizer):
    model = written("gpt").train()
    generate(model, PROMPTS, Decoding(2), tokenizer=tokenizer)
    assert model.training


def test_bart_ends_with_its_end_token_where_it_reaches_the_count(written, tokenizer):
    texts = generate(written("bart"), PROMPTS, Decoding(5), tokenizer=tokenizer, ends=[1])
    assert {(each.tokens[-1], each.ended) for (each,) in texts} == {(1, "end")}
    assert any(len(each.tokens) == 5 for (each,) in texts)


@pytest.mark.parametrize("family", FAMILIES)
def test_no_prompts_give_no_texts(written, tokenizer, family):
    assert generate(written(family), [], Decoding(), tokenizer=tokenizer) == []


@pytest.mark.parametrize(
    ("prompt", "message"),
    [
        ([], "a prompt without tokens"),
        (list(range(4, 20)), "prompt of 16 tokens: the model reads 16 and has no room to write"),
    ],
)
def test_a_prompt_that_cannot_be_read_is_refused(written, tokenizer, prompt, message):
    with pytest.raises(ValueError, match=message):
        generate(written("gpt", max_length=16), [prompt], Decoding(), tokenizer=tokenizer)


def test_a_source_longer_than_the_model_is_refused(written, tokenizer):
    with pytest.raises(ValueError, match="source of 17 tokens: the model reads 16; shorten the source"):
        generate(written("bart", max_length=16), [list(range(4, 21))], Decoding(), tokenizer=tokenizer)


def test_an_encoder_writes_nothing():
    sizes = {"vocab_size": 40, "width": 16, "depth": 1, "heads": 2, "hidden": 32}
    with pytest.raises(ValueError, match="Bert writes no texts: a decoder does"):
        generate(Bert(**sizes), [[5]], Decoding(), tokenizer=letters())


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"beams": 2, "temperature": 0.5}, "need temperature=0"),
        ({"samples": 3}, "would all be the same"),
        ({"samples": 3, "beams": 2}, "would all be the same"),
        ({"stop": "end"}, "must be a list of strings"),
        ({"stop": ("",)}, "none of them empty"),
    ],
)
def test_settings_that_contradict_each_other_are_refused(settings, message):
    with pytest.raises(ValueError, match=message):
        Decoding(**settings)


def test_a_repeated_token_is_likelier_without_a_penalty(written, tokenizer):
    model = written("gpt")
    repeats = [
        max(
            Counter(
                generate(model, PROMPTS[:1], Decoding(30, repetition_penalty=penalty), tokenizer=tokenizer, ends=[])[0][
                    0
                ].tokens
            ).values()
        )
        for penalty in (1.0, 3.0)
    ]
    assert repeats[0] > repeats[1]
