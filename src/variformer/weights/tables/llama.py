"""Llama: `LlamaForCausalLM`, and its heads for tasks. Mistral and Qwen3 add to what is here."""

from collections.abc import Iterator
from functools import partial
from typing import Any

from torch import nn

from ...layers import Attention, GatedFeedForward, PreNormBlock, RotaryPositions
from ...models import GPT
from ..describe import Facts, Parts, facts_of
from ..settings import Settings
from ..table import ACTIVATIONS, Config, Difference, Family, Row, Tensors, rows
from .decoders import head, is_tied, rotary, whole_rotation
from .heads import last_token_classification, question_answering, token_classification

THEIRS = "model.layers.{}"
OURS = "decoder.blocks.{}"
ATTENTION = {
    f"{OURS}.self_attention.{ours}": f"{THEIRS}.self_attn.{theirs}_proj"
    for ours, theirs in {"query": "q", "key": "k", "value": "v", "output": "o"}.items()
}
FEED_FORWARD = {
    f"{OURS}.feed_forward.{ours}": f"{THEIRS}.mlp.{theirs}_proj"
    for ours, theirs in {"gate": "gate", "widen": "up", "narrow": "down"}.items()
}
NORMS = {
    f"{OURS}.self_norm": f"{THEIRS}.input_layernorm",
    f"{OURS}.feed_forward_norm": f"{THEIRS}.post_attention_layernorm",
    "decoder.final_norm": "model.norm",
}
PARTS = Parts(
    positions=RotaryPositions,
    norm=nn.RMSNorm,
    block=(PreNormBlock,),
    feed_forward=(GatedFeedForward,),
    variants=("key_value_heads", "head_width"),
    attention_bias=None,
    feed_forward_bias=None,
    embedding_norm=False,
)
UNUSED = r"model\.layers\.\d+\.self_attn\.rotary_emb\.inv_freq"  # a buffer of older files
COPIES = {"lm_head.weight": "model.embed_tokens.weight"}


def table(model: GPT) -> list[Row]:
    facts = facts_of(model.decoder)
    biased = (ATTENTION if facts.attention_bias else {}) | (FEED_FORWARD if facts.feed_forward_bias else {})
    weights = {"decoder.embedding.tokens": "model.embed_tokens", **ATTENTION, **FEED_FORWARD, **NORMS}
    return [*rows(weights, "weight"), *rows(biased, "bias"), *head(model, "lm_head")]


def numbers(config: Settings, **attention: Any) -> dict[str, Any]:
    """The arguments of our model, with those of its attention that are not in all of the three families.

    Keys have as many heads as queries where the config has null, or where Llama's says nothing.
    """
    heads, width = config.size("num_attention_heads"), config.size("hidden_size")
    head_width = config.size("head_dim", attention.pop("head_width", width // heads or None))
    if config.find("head_dim") is None:
        config.heads("num_attention_heads", "hidden_size")
    kinds = config.find("layer_types") or []
    if not isinstance(kinds, list) or any(kind != "full_attention" for kind in kinds):
        raise ValueError(f"layer_types={kinds!r} is not supported, only 'full_attention' for each layer")
    optional = attention.pop("optional_groups", True) or "num_key_value_heads" in config.values
    groups = config.heads("num_key_value_heads", "num_attention_heads", heads if optional else None)
    return dict(
        vocab_size=config.size("vocab_size"),
        width=width,
        depth=config.size("num_hidden_layers"),
        heads=heads,
        head_width=head_width,
        hidden=config.size("intermediate_size"),
        max_length=config.size("max_position_embeddings", 2048),
        dropout=0.0,  # theirs drops nothing of the states
        tied_head=config.flag("tie_word_embeddings", False),
        activation=config.choice("hidden_act", ACTIVATIONS, "silu"),
        positions=rotary(config, head_width),
        norm=partial(nn.RMSNorm, eps=config.positive("rms_norm_eps", 1e-6)),
        feed_forward=partial(GatedFeedForward, bias=config.flag("mlp_bias", False)),
        attention=partial(Attention, bias=config.flag("attention_bias", False), key_value_heads=groups, **attention),
    )


def build(config: Settings, tensors: Tensors) -> GPT:
    return GPT(**numbers(config))


def differences(model: GPT) -> Iterator[Difference]:
    yield from PARTS.differences(model.decoder)
    yield from whole_rotation(model.decoder.positions)
    heads = getattr(getattr(model.decoder.blocks[0], "self_attention", None), "heads", 1)
    if model.width % heads:
        yield Difference("heads", f"{heads} for a width of {model.width}", "heads that divide the width")


def config(model: GPT) -> Config:
    facts = facts_of(model.decoder)
    return common(model, facts) | {"attention_bias": facts.attention_bias, "mlp_bias": facts.feed_forward_bias}


def common(model: GPT, facts: Facts) -> dict[str, Any]:
    """What the three families say in the same words."""
    return {
        "vocab_size": facts.embedding.tokens.num_embeddings,
        "hidden_size": facts.width,
        "num_hidden_layers": facts.depth,
        "num_attention_heads": facts.heads,
        "num_key_value_heads": facts.key_value_heads,
        "head_dim": facts.head_width,
        "intermediate_size": facts.hidden,
        "max_position_embeddings": model.max_length,
        "hidden_act": facts.activation,
        "attention_dropout": facts.dropout,
        "rms_norm_eps": facts.eps,
        "rope_theta": facts.positions.base,
        "tie_word_embeddings": is_tied(model),
    }


LLAMA = Family(
    model_type="llama",
    year=2023,
    models=(GPT,),
    build=build,
    table=table,
    differences=differences,
    config=config,
    architecture=lambda model: "LlamaForCausalLM",
    prefix="model.",
    tasks=[
        last_token_classification("LlamaForSequenceClassification"),
        token_classification("LlamaForTokenClassification", scores="score"),
        question_answering("LlamaForQuestionAnswering", prefix="transformer."),
    ],
    copies=COPIES,
    unused=UNUSED,
    heads=("head",),
)
