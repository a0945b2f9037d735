"""The experiments that combine parts by config alone are what their heads say, and train."""

import math
from pathlib import Path

import pytest
import torch
from torch import nn

from variformer import layers
from variformer.config import instantiate
from variformer.runs.train import train
from variformer.weights.huggingface import destination

FOLDER = Path(__file__).parents[2] / "conf" / "experiment" / "variants"
PARTS = {
    "bert_modern": (layers.RotaryPositions, nn.RMSNorm, layers.GatedFeedForward, layers.PreNormBlock),
    "bert_pre_norm": (layers.LearnedPositions, nn.LayerNorm, layers.FeedForward, layers.PreNormBlock),
    "gpt_linear_bias": (layers.LinearBiasPositions, nn.LayerNorm, layers.FeedForward, layers.PreNormBlock),
    "gpt_llama": (layers.RotaryPositions, nn.RMSNorm, layers.GatedFeedForward, layers.PreNormBlock),
    "t5_rotary": (layers.RotaryPositions, nn.RMSNorm, layers.FeedForward, layers.PreNormBlock),
    "vit_sinusoidal": (layers.SinusoidalPositions, nn.LayerNorm, layers.FeedForward, layers.PreNormBlock),
}
TAUGHT = ["distilbert", "deit"]
KINDS = (layers.Positions, nn.LayerNorm | nn.RMSNorm, layers.FeedForward, layers.Block)


def test_all_are_here():
    assert {path.stem for path in FOLDER.glob("*.yaml")} == PARTS.keys()


@pytest.mark.parametrize("name", PARTS)
def test_it_is_made_of_what_it_says(composed, name):
    model = instantiate(composed(f"experiment=variants/{name}")["model"])
    for kind, part in zip(KINDS, PARTS[name], strict=True):
        blocks = (model.decoder if hasattr(model, "decoder") else model.encoder).modules()
        assert {type(module) for module in blocks if isinstance(module, kind)} == {part}
    assert f"experiment=variants/{name}" in (FOLDER / f"{name}.yaml").read_text()


def test_sinusoids_are_in_proportion_but_for_runs_saved_before(composed):
    """A config without an amplitude is of a run that was trained with waves as high as one."""
    config = composed("model/positions=sinusoidal", "model.vocab_size=600")["model"]
    assert instantiate(config).decoder.positions.amplitude == 0.02
    del config["positions"]["amplitude"]
    assert instantiate(config).decoder.positions.amplitude == 1.0


def test_the_llama_like_one_has_no_bias_and_fewer_keys(composed):
    model = instantiate(composed("experiment=variants/gpt_llama")["model"])
    assert not [name for name, _ in model.named_parameters() if "bias" in name]
    attention = model.decoder.blocks[0].self_attention
    assert attention.query.out_features == 2 * attention.key.out_features
    assert isinstance(model.decoder.blocks[0].feed_forward.activation, nn.SiLU)
    assert destination(model) == ("LlamaForCausalLM", "")


DESTINATIONS = {
    (): "GPTNeoXForCausalLM",
    ("model/positions=learned",): "GPT2LMHeadModel",
    ("model/block=parallel",): "GPTNeoXForCausalLM",
    ("model=gpt_neox",): "GPTNeoXForCausalLM",
    ("model=llama", "model.attention.key_value_heads=2"): "LlamaForCausalLM",
    ("model=mistral", "model.attention.key_value_heads=2"): "MistralForCausalLM",
    ("model=qwen3", "model.attention.key_value_heads=2", "model.head_width=32"): "Qwen3ForCausalLM",
    ("model=bloom", "model/positions=linear_bias"): "BloomForCausalLM",
    ("model=mpt", "model/positions=linear_bias"): "MptForCausalLM",
}


@pytest.mark.parametrize("choices", DESTINATIONS)
def test_a_class_of_theirs_is_chosen_on_the_command_line(composed, choices):
    with torch.device("meta"):
        model = instantiate(composed("experiment=gpt", *choices)["model"])
    assert destination(model) == (DESTINATIONS[choices], "")


@pytest.mark.parametrize("name", PARTS)
def test_it_trains(composed, name):
    small = ["compile=none", "model.width=32", "model.heads=2", "model.depth=2", "model.hidden=64"]
    extra = ["model.head_width=16"] if name.startswith("t5") else []
    if not name.startswith("vit"):
        extra.append("length=64")
    if name.startswith("gpt"):
        extra.append("callbacks.samples.writer.decoding.count=8")
    if name.startswith("t5"):
        extra.append("callbacks.samples.writer.count=8")
    assert math.isfinite(train(composed(f"experiment=variants/{name}", "debug=fast", *small, *extra)))


@pytest.mark.parametrize("experiment", [*TAUGHT, "bert", "roberta", "albert", "gpt", "t5", "bart", "vit"])
def test_attention_swaps_from_the_command_line(composed, experiment):
    teacher = ["objective.teacher=somewhere"] if experiment in TAUGHT else []
    for variant in "grouped_query", "sliding_window", "query_key_norm":
        config = composed(f"experiment={experiment}", f"model/attention={variant}", *teacher)
        with torch.device("meta"):
            model = instantiate(config["model"])
        for attention in (module for module in model.modules() if isinstance(module, layers.Attention)):
            assert attention.heads == 4 and not attention.plain
            assert attention.key_value_heads == (2 if variant == "grouped_query" else 4)
            assert attention.window == (64 if variant == "sliding_window" else None)
            assert isinstance(attention.key_norm, nn.RMSNorm) == (variant == "query_key_norm")


def test_heads_of_keys_that_do_not_divide_are_refused_at_once(composed):
    with pytest.raises(ValueError, match=r"model\.attention\.key_value_heads: 3 does not divide model\.heads=4"):
        composed("model/attention=grouped_query", "model.attention.key_value_heads=3")
