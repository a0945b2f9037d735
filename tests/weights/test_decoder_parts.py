"""A GPT of any parts is exported as a class of transformers that computes the same, or is refused by its parts."""

import json
from functools import partial
from typing import Any

import pytest
import torch
import transformers as hf
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from torch import nn

from variformer import layers
from variformer.layers import Attention, FeedForward, GatedFeedForward, LinearBiasPositions, RotaryPositions
from variformer.models import GPT, LastTokenClassifier, SpanFinder, TokenClassifier
from variformer.weights.files import write_tensors
from variformer.weights.huggingface import config_of, destination, load, to_huggingface

SIZES = dict(vocab_size=31, width=16, depth=2, heads=4, hidden=24, max_length=11)
ROTARY, LINEAR = dict(positions=RotaryPositions), dict(positions=LinearBiasPositions, hidden=64)
RMS, LAYER = dict(norm=partial(nn.RMSNorm, eps=1e-6)), dict(norm=partial(nn.LayerNorm, eps=1e-5))
UNBIASED_LAYER = dict(norm=partial(nn.LayerNorm, bias=False))
GATED = dict(feed_forward=partial(GatedFeedForward, bias=False), activation="silu")
UNBIASED = dict(attention=partial(Attention, bias=False))


def attention(**variants: Any) -> dict[str, Any]:
    return dict(attention=partial(Attention, bias=False, **variants))


CASES = {
    "GPT2LMHeadModel": {},
    "GPT2LMHeadModel, untied": dict(tied_head=False),
    "GPTNeoXForCausalLM": ROTARY,
    "GPTNeoXForCausalLM, parallel": ROTARY | dict(block=layers.ParallelBlock, tied_head=False),
    "GPTNeoXForCausalLM, partly turned": dict(positions=partial(RotaryPositions, share=0.5, base=100.0)) | UNBIASED,
    "LlamaForCausalLM": ROTARY | RMS | GATED | attention(key_value_heads=2) | dict(tied_head=False),
    "LlamaForCausalLM, biased": ROTARY | RMS | dict(feed_forward=GatedFeedForward, activation="gelu"),
    "LlamaForCausalLM, wider heads": ROTARY | RMS | GATED | UNBIASED | dict(head_width=6),
    "MistralForCausalLM": ROTARY | RMS | GATED | attention(key_value_heads=2, window=3),
    "Qwen3ForCausalLM": ROTARY | RMS | GATED | attention(query_key_norm=partial(nn.RMSNorm, eps=1e-6)),
    "BloomForCausalLM": LINEAR | dict(embedding_norm=True),
    "MptForCausalLM": LINEAR
    | UNBIASED_LAYER
    | UNBIASED
    | dict(feed_forward=partial(FeedForward, bias=False), activation="gelu"),
}


def random(**parts: Any) -> GPT:
    torch.manual_seed(0)
    model = GPT(**SIZES | parts).eval()
    for parameter in model.parameters():
        nn.init.normal_(parameter, 0.1, 0.3)
    return model


def read_by_theirs(model: nn.Module, folder: Any, architecture: str) -> Any:
    (folder / "config.json").write_text(json.dumps(config_of(model, pad_token_id=0)))
    write_tensors(to_huggingface(model), folder)
    theirs, report = getattr(hf, architecture).from_pretrained(folder, output_loading_info=True)
    assert not any(report.values()), report
    return theirs.eval()


def close(ours: torch.Tensor, theirs: torch.Tensor) -> bool:
    return bool((ours - theirs).abs().max() <= 1e-5 * theirs.abs().max())


@torch.no_grad()
@pytest.mark.parametrize("name", CASES)
def test_a_class_has_these_parts(name, tmp_path):
    model, expected = random(**CASES[name]), name.partition(",")[0]
    assert destination(model) == (expected, "")
    theirs = read_by_theirs(model, tmp_path, expected)
    tokens = torch.randint(31, (2, 11))
    assert close(model(tokens), theirs(tokens).logits)
    assert theirs.generate(tokens[:, :3], max_new_tokens=2, do_sample=False).shape == (2, 5)
    again = load(tmp_path).state_dict()
    assert all(torch.equal(again[key], tensor) for key, tensor in model.state_dict().items())


@torch.no_grad()
@pytest.mark.parametrize(
    "head", [partial(LastTokenClassifier, classes=3), partial(TokenClassifier, classes=3), SpanFinder]
)
@pytest.mark.parametrize("name", ["GPTNeoXForCausalLM", "LlamaForCausalLM", "MistralForCausalLM", "BloomForCausalLM"])
def test_a_head_for_a_task_goes_with_its_parts(name, head, tmp_path):
    model = head(random(**CASES[name])).eval()
    found = destination(model).architecture
    assert found is not None and found.startswith(name.removesuffix("CausalLM"))
    theirs = read_by_theirs(model, tmp_path, found)
    tokens = torch.randint(1, 31, (2, 11))
    said, expected = model(tokens), theirs(tokens)
    for ours, other in zip(
        said if isinstance(said, tuple) else [said],
        [expected.logits] if "logits" in expected else [expected.start_logits, expected.end_logits],
        strict=True,
    ):
        assert close(ours, other)


@pytest.mark.parametrize(
    ("parts", "because"),
    [
        (
            dict(positions=layers.RelativePositions),
            "positions: RelativePositions; GPT2LMHeadModel has LearnedPositions",
        ),
        (
            ROTARY | dict(block=layers.PostNormBlock),
            "block: PostNormBlock; GPTNeoXForCausalLM has PreNormBlock or Paral",
        ),
        (ROTARY | dict(embedding_norm=True), "entry: embedding_norm=True; GPTNeoXForCausalLM has embedding_norm=False"),
        (ROTARY | RMS, "norm: RMSNorm; GPTNeoXForCausalLM has LayerNorm"),
        (
            RMS | GATED | UNBIASED | dict(positions=partial(RotaryPositions, share=0.5)),
            "positions: share=0.5; LlamaForCausalLM has share=1",
        ),
        (
            ROTARY | RMS | GATED | attention(query_key_norm=nn.LayerNorm),
            "attention: query_key_norm=LayerNorm; LlamaForCausalLM has no query_key_norm",
        ),
        (
            ROTARY | RMS | GATED | attention(query_key_norm=partial(nn.RMSNorm, eps=1e-3)),
            "attention: query_key_norm=RMSNorm; LlamaForCausalLM has no query_key_norm",
        ),
        (
            ROTARY | RMS | GATED | attention(window=3, scale=1.0),
            "attention: scale=1.0; MistralForCausalLM has no scale",
        ),
        (
            LINEAR | dict(embedding_norm=True, hidden=24),
            "hidden: 24; BloomForCausalLM has 64",
        ),
        (LINEAR, "positions: LinearBiasPositions; GPT2LMHeadModel has LearnedPositions"),
    ],
)
def test_what_no_class_has_is_named(parts, because):
    found = destination(GPT(**SIZES | parts))
    assert found.architecture is None and found.because.startswith(because), found


PARTS = st.fixed_dictionaries(
    dict(
        positions=st.sampled_from(
            [
                layers.LearnedPositions,
                RotaryPositions,
                partial(RotaryPositions, share=0.5),
                LinearBiasPositions,
                layers.SinusoidalPositions,
                layers.RelativePositions,
                layers.Positions,
            ]
        ),
        norm=st.sampled_from([nn.LayerNorm, partial(nn.LayerNorm, bias=False), nn.RMSNorm]),
        block=st.sampled_from([layers.PreNormBlock, layers.ParallelBlock, layers.PostNormBlock]),
        feed_forward=st.builds(
            lambda kind, bias: partial(kind, bias=bias), st.sampled_from([FeedForward, GatedFeedForward]), st.booleans()
        ),
        attention=st.builds(
            lambda **variants: partial(
                Attention, **{name: each for name, each in variants.items() if each is not None}
            ),
            bias=st.booleans(),
            key_value_heads=st.sampled_from([None, None, 1]),
            window=st.sampled_from([None, None, 2]),
            scale=st.sampled_from([None, None, None, 1.0]),
            query_key_norm=st.sampled_from([None, None, nn.RMSNorm, nn.LayerNorm]),
        ),
        activation=st.sampled_from(["relu", "gelu", "gelu_tanh", "silu"]),
        hidden=st.sampled_from([24, 64]),
        head_width=st.sampled_from([None, None, 6]),
        tied_head=st.booleans(),
        embedding_norm=st.booleans(),
    )
)


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(base=st.sampled_from(list(CASES.values())), parts=PARTS, swapped=st.data())
def test_any_parts_are_a_class_or_are_named(base, parts, swapped, tmp_path):
    """Of each class, with a few of its parts swapped: nothing is exported that computes something else."""
    names = swapped.draw(st.sets(st.sampled_from(sorted(parts)), max_size=3))
    parts = base | {name: parts[name] for name in names}
    with torch.no_grad():
        try:
            model = random(**parts)
        except ValueError as error:
            assert "rotary positions turn pairs" in str(error)
            return
        found = destination(model)
        if found.architecture is None:
            assert found.because and "\n" not in found.because
            with pytest.raises(ValueError):
                to_huggingface(model)
            return
        tokens = torch.randint(31, (2, 11))
        assert close(model(tokens), read_by_theirs(model, tmp_path, found.architecture)(tokens).logits)
