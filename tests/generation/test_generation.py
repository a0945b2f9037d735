from functools import partial

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from variformer.generation import Sampling, continue_tokens, write_target
from variformer.models import GPT, T5, Bart

SIZES = {"vocab_size": 40, "width": 16, "depth": 2, "heads": 2, "hidden": 32, "max_length": 24, "dropout": 0.0}


def generator():
    return torch.Generator().manual_seed(0)


@given(st.integers(1, 40), st.floats(0.1, 1.0), st.floats(0.2, 3.0))
def test_sampling_stays_among_the_likeliest(top_k, top_p, temperature):
    scores = torch.randn(64, 40, generator=generator())
    choice = Sampling(temperature, top_k, top_p)(scores, generator())
    rank = (scores > scores.gather(1, choice[:, None])).sum(1)
    assert rank.max() < top_k
    shares = (scores / temperature).masked_fill(scores < scores.topk(top_k).values[:, -1:], -torch.inf).softmax(-1)
    before = torch.where(scores > scores.gather(1, choice[:, None]), shares, 0.0).sum(1)
    assert (before < top_p + 1e-5).all()


def test_sampling_follows_the_distribution():
    scores = torch.tensor([[0.0, 1.0, 2.0]]).expand(30000, 3)
    counts = Sampling(temperature=2.0)(scores, generator()).bincount(minlength=3) / 30000
    torch.testing.assert_close(counts, (scores[0] / 2).softmax(-1), atol=0.01, rtol=0)


def test_greedy_continuation_equals_a_loop_without_cache():
    torch.manual_seed(0)
    model = GPT(**SIZES).eval()
    tokens = torch.randint(40, (2, 5))
    fast = continue_tokens(model, tokens, 12, sampling=Sampling(0), generator=generator(), longest=24)
    for _ in range(12):
        tokens = torch.cat([tokens, model(tokens)[:, -1:].argmax(-1)], 1)
    assert torch.equal(fast, tokens)


def test_a_continuation_may_outgrow_the_model():
    torch.manual_seed(0)
    tokens = continue_tokens(
        GPT(**SIZES).eval(),
        torch.ones(1, 3, dtype=torch.long),
        60,
        sampling=Sampling(),
        generator=generator(),
        longest=24,
    )
    assert tokens.shape == (1, 63)


@pytest.mark.parametrize(("family", "start"), [(partial(T5, head_width=8), 0), (Bart, 1)])
def test_a_written_target_equals_a_loop_without_cache(family, start):
    """BART starts with the token that it also ends with."""
    torch.manual_seed(0)
    model = family(**SIZES).eval()
    source = torch.randint(40, (3, 7))
    written = write_target(model, source, 10, start=start, end=1, sampling=Sampling(0), generator=generator())
    target = torch.full((3, 1), start)
    for _ in range(written.size(1)):
        target = torch.cat([target, model(source, target)[:, -1:].argmax(-1)], 1)
    for ours, plain in zip(written.tolist(), target[:, 1:].tolist(), strict=True):
        length = plain.index(1) + 1 if 1 in plain else len(plain)
        assert ours[:length] == plain[:length]
        assert set(ours[length:]) <= {1}


def test_the_cache_of_a_source_is_read_once():
    calls = []
    model = T5(**SIZES, head_width=8).eval()
    layer = model.decoder.blocks[0].cross_attention.key
    layer.register_forward_hook(lambda *_: calls.append(1))
    write_target(
        model, torch.ones(1, 4, dtype=torch.long), 5, start=0, end=-1, sampling=Sampling(0), generator=generator()
    )
    assert len(calls) == 1


@pytest.mark.parametrize("temperature", [0.0, 1.0])
def test_the_same_generator_gives_the_same_text(temperature):
    torch.manual_seed(0)
    model, tokens = GPT(**SIZES).eval(), torch.ones(1, 2, dtype=torch.long)
    one, two = (
        continue_tokens(model, tokens, 8, sampling=Sampling(temperature), generator=generator(), longest=24)
        for _ in range(2)
    )
    assert torch.equal(one, two)
