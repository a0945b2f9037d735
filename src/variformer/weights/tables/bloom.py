"""Bloom: `BloomForCausalLM`, and its heads for tasks.

Its hidden layer is four times the width, and its GELU the approximate one, whatever the config.
"""

from collections.abc import Iterator
from functools import partial

from torch import nn

from ...layers import FeedForward, LinearBiasPositions, PreNormBlock
from ...models import GPT
from ..describe import Parts, facts_of
from ..settings import Settings
from ..table import Config, Difference, Family, Row, Tensors, merged_by_head, rows
from .decoders import four_times, head, is_tied
from .heads import last_token_classification, question_answering, token_classification

THEIRS = "transformer.h.{}"
OURS = "decoder.blocks.{}"
ACTIVATION = "gelu_new"
NAMES = {
    "decoder.entry.0": "transformer.word_embeddings_layernorm",
    f"{OURS}.self_norm": f"{THEIRS}.input_layernorm",
    f"{OURS}.self_attention.output": f"{THEIRS}.self_attention.dense",
    f"{OURS}.feed_forward_norm": f"{THEIRS}.post_attention_layernorm",
    f"{OURS}.feed_forward.widen": f"{THEIRS}.mlp.dense_h_to_4h",
    f"{OURS}.feed_forward.narrow": f"{THEIRS}.mlp.dense_4h_to_h",
    "decoder.final_norm": "transformer.ln_f",
}
BODY = [
    *rows({"decoder.embedding.tokens": "transformer.word_embeddings"}, "weight"),
    *rows(NAMES, "weight", "bias"),
]
MERGED = tuple(f"{OURS}.self_attention.{part}" for part in ("query", "key", "value"))
PARTS = Parts(
    positions=LinearBiasPositions,
    norm=nn.LayerNorm,
    block=(PreNormBlock,),
    feed_forward=(FeedForward,),
    embedding_norm=True,
)


def table(model: GPT) -> list[Row]:
    edit = merged_by_head(facts_of(model.decoder).heads)
    theirs = f"{THEIRS}.self_attention.query_key_value"
    merged = [
        Row(tuple(f"{part}.{kind}" for part in MERGED), (f"{theirs}.{kind}",), edit) for kind in ("weight", "bias")
    ]
    return [*BODY, *merged, *head(model, "lm_head")]


def build(config: Settings, tensors: Tensors) -> GPT:
    config.require(apply_residual_connection_post_layernorm=False)
    width = config.size("hidden_size")
    config.require(n_inner=4 * width)
    return GPT(
        vocab_size=config.size("vocab_size"),
        width=width,
        depth=config.size("n_layer"),
        heads=config.heads("n_head", "hidden_size"),
        hidden=4 * width,
        max_length=config.size("seq_length", 2048),
        dropout=config.fraction("hidden_dropout", 0.0),
        tied_head=config.flag("tie_word_embeddings", True),
        embedding_norm=True,
        activation="gelu_tanh",
        positions=LinearBiasPositions,
        norm=partial(nn.LayerNorm, eps=config.positive("layer_norm_epsilon", 1e-5)),
    )


def differences(model: GPT) -> Iterator[Difference]:
    yield from PARTS.differences(model.decoder)
    yield from four_times(model.decoder, ACTIVATION)


def config(model: GPT) -> Config:
    facts = facts_of(model.decoder)
    return {
        "vocab_size": facts.embedding.tokens.num_embeddings,
        "hidden_size": facts.width,
        "n_layer": facts.depth,
        "n_head": facts.heads,
        "seq_length": model.max_length,
        "hidden_dropout": facts.dropout,
        "attention_dropout": facts.dropout,
        "layer_norm_epsilon": facts.eps,
        "tie_word_embeddings": is_tied(model),
    }


BLOOM = Family(
    model_type="bloom",
    year=2022,
    models=(GPT,),
    build=build,
    table=table,
    differences=differences,
    config=config,
    architecture=lambda model: "BloomForCausalLM",
    prefix="transformer.",
    tasks=[
        last_token_classification("BloomForSequenceClassification"),
        token_classification("BloomForTokenClassification"),
        question_answering("BloomForQuestionAnswering"),
    ],
    copies={"lm_head.weight": "transformer.word_embeddings.weight"},
    heads=("head",),
)
