"""ModernBERT: `ModernBertForMaskedLM`, and its heads for tasks, which all read the first layer of the token head."""

from collections.abc import Iterator
from functools import partial
from typing import Any

from torch import nn

from ...layers import Attention, GatedFeedForward, LocalRotaryPositions, PreNormBlock
from ...models import FirstTokenClassifier, ModernBert, SpanFinder, TextModel
from ..describe import Parts, facts_of
from ..settings import Settings
from ..table import (
    ACTIVATIONS,
    MERGED,
    MERGED_PAIR,
    Config,
    Difference,
    Family,
    Row,
    Task,
    Tensors,
    activation_name,
    rows,
)
from .heads import token_classification

THEIRS = "model.layers.{}"
OURS = "encoder.blocks.{}"
GLOBAL, LOCAL = "full_attention", "sliding_attention"
BASES = {GLOBAL: ("global_rope_theta", 160000.0), LOCAL: ("local_rope_theta", 10000.0)}  # the first files' names

NAMES = {
    "encoder.embedding.tokens": "model.embeddings.tok_embeddings",
    "encoder.entry.0": "model.embeddings.norm",
    f"{OURS}.self_attention.output": f"{THEIRS}.attn.Wo",
    f"{OURS}.feed_forward_norm": f"{THEIRS}.mlp_norm",
    f"{OURS}.feed_forward.narrow": f"{THEIRS}.mlp.Wo",
    "encoder.final_norm": "model.final_norm",
    "transform.0": "head.dense",
    "transform.2": "head.norm",
}
ATTENTION = tuple(f"{OURS}.self_attention.{part}.weight" for part in ("query", "key", "value"))
GATED = (f"{OURS}.feed_forward.gate.weight", f"{OURS}.feed_forward.widen.weight")


def table(model: ModernBert) -> list[Row]:
    """The first block has no norm before its attention."""
    later = range(1, len(model.encoder.blocks))
    norms = {f"{OURS}.self_norm".format(block): f"{THEIRS}.attn_norm".format(block) for block in later}
    scores = [Row(("token_head.scores.bias",), ("decoder.bias",))] if hasattr(model, "token_head") else []
    return [
        *rows(NAMES | norms, "weight"),
        Row(ATTENTION, (f"{THEIRS}.attn.Wqkv.weight",), MERGED),
        Row(GATED, (f"{THEIRS}.mlp.Wi.weight",), MERGED_PAIR),
        *scores,
    ]


def build(config: Settings, tensors: Tensors) -> ModernBert:
    config.require(
        attention_bias=False,
        mlp_bias=False,
        norm_bias=False,
        classifier_bias=False,
        decoder_bias=True,
        tie_word_embeddings=True,
        rope_scaling=None,
    )
    activation = config.choice("hidden_activation", ACTIVATIONS, "gelu")
    if config.choice("classifier_activation", ACTIVATIONS, "gelu") != activation:
        raise ValueError("classifier_activation differs from hidden_activation, which is not supported")
    if (window := config.size("local_attention", 128)) % 2 or window < 2:
        raise ValueError(f"local_attention is {window}, but must be even: as many positions on each side")
    return ModernBert(
        vocab_size=config.size("vocab_size"),
        width=config.size("hidden_size"),
        depth=config.size("num_hidden_layers"),
        heads=config.heads("num_attention_heads", "hidden_size"),
        hidden=config.size("intermediate_size"),
        max_length=config.size("max_position_embeddings", 8192),
        dropout=config.fraction("attention_dropout", 0.0),
        global_every=period(config),
        activation=activation,
        positions=partial(LocalRotaryPositions, base=base(config, GLOBAL), local_base=base(config, LOCAL)),
        norm=partial(nn.LayerNorm, eps=config.positive("norm_eps", 1e-5), bias=False),
        attention=partial(Attention, window=window // 2),
    )


def period(config: Settings) -> int:
    """Which blocks attend to everything: by their distance in the first files, by a list since."""
    types, depth = config.find("layer_types"), config.size("num_hidden_layers")
    if types is None:
        return config.size("global_attn_every_n_layers", 3)
    for distance in range(1, depth + 1):
        if types == [LOCAL if number % distance else GLOBAL for number in range(depth)]:
            return distance
    raise ValueError(f"layer_types is {types!r}, but must have {GLOBAL!r} first and at one distance, {LOCAL!r} between")


def base(config: Settings, kind: str) -> float:
    """Of the rotary positions in blocks of a kind."""
    name, default = BASES[kind]
    said = config.given("rope_parameters", {})
    parameters = (said.get(kind) or {}) if isinstance(said, dict) else None
    if not isinstance(parameters, dict):
        raise ValueError(f"rope_parameters is {said!r}, but must say what {GLOBAL} and {LOCAL} have")
    if (scaling := parameters.get("rope_type", "default")) != "default":
        raise ValueError(f"rope_parameters: rope_type={scaling!r} in {kind} is not supported, only 'default'")
    if "rope_theta" in parameters:
        return Settings({"rope_parameters": parameters["rope_theta"]}).positive("rope_parameters")
    return config.positive(name, default)


PARTS = Parts(
    positions=LocalRotaryPositions,
    norm=nn.LayerNorm,
    block=(PreNormBlock,),
    feed_forward=(GatedFeedForward,),
    variants=("window",),
    by_block=("window",),
    attention_bias=False,
    feed_forward_bias=False,
    norm_bias=False,
)


def differences(model: ModernBert) -> Iterator[Difference]:
    yield from PARTS.differences(model.encoder)
    sizes = windows(model)
    if len(sizes) > 1 or 0 in sizes:
        yield Difference("attention", f"windows of {sorted(sizes)} positions", "one of at least 1")


def windows(model: ModernBert) -> set[int]:
    return {window for window in by_block(model) if window is not None}


def by_block(model: Any) -> list[int | None]:
    return [block.self_attention.window for block in model.encoder.blocks]


def config(model: ModernBert) -> Config:
    facts = facts_of(model.encoder)
    bases = {GLOBAL: facts.positions.base, LOCAL: facts.positions.local_base}
    return {
        "vocab_size": facts.embedding.tokens.num_embeddings,
        "hidden_size": facts.width,
        "num_hidden_layers": facts.depth,
        "num_attention_heads": facts.heads,
        "intermediate_size": facts.hidden,
        "hidden_activation": facts.activation,
        "classifier_activation": activation_name(model.transform[1]),
        **dict.fromkeys(("embedding_dropout", "attention_dropout", "mlp_dropout"), facts.dropout),
        "max_position_embeddings": model.max_length,
        "layer_types": [GLOBAL if window is None else LOCAL for window in by_block(model)],
        "local_attention": 2 * max(windows(model), default=64),
        "rope_parameters": {kind: {"rope_type": "default", "rope_theta": base} for kind, base in bases.items()},
        "norm_eps": facts.eps,
        **dict.fromkeys(("norm_bias", "attention_bias", "mlp_bias", "classifier_bias"), False),
        "decoder_bias": True,
        "classifier_pooling": "cls",
    }


def first_token_classifier(body: TextModel, config: Settings, classes: int) -> FirstTokenClassifier:
    config.require(classifier_pooling="cls")
    return FirstTokenClassifier(body, classes, config.fraction("classifier_dropout", 0.0))


def span_finder(body: TextModel, config: Settings, classes: int) -> SpanFinder:
    return SpanFinder(body)


MODERNBERT = Family(
    model_type="modernbert",
    year=2024,
    models=(ModernBert,),
    build=build,
    table=table,
    differences=differences,
    config=config,
    architecture=lambda model: "ModernBertForMaskedLM",
    prefix="model.",
    tasks=[
        Task(
            "ModernBertForSequenceClassification",
            FirstTokenClassifier,
            {"head": "classifier"},
            first_token_classifier,
            lambda model: {"classifier_dropout": model.dropout.p},
        ),
        token_classification("ModernBertForTokenClassification"),
        Task(
            "ModernBertForQuestionAnswering",
            SpanFinder,
            {"head": "classifier"},
            span_finder,
            lambda model: {"num_labels": 2},
            labelled=False,
        ),
    ],
    copies={"decoder.weight": "model.embeddings.tok_embeddings.weight"},
    heads=("transform", "token_head"),
)
