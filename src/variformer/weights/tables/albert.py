"""ALBERT: `AlbertForPreTraining`, or `AlbertForMaskedLM` without its order head; and its heads for tasks."""

from collections.abc import Iterator
from functools import partial

from torch import nn

from ...layers import FeedForward, LearnedPositions, PostNormBlock
from ...models import Albert
from ..describe import Parts, facts_of, learned_length, positions_from
from ..settings import Settings
from ..table import ACTIVATIONS, Config, Difference, Family, Row, Tensors, rows
from .heads import question_answering, sequence_classification, token_classification

THEIRS = "albert.encoder.albert_layer_groups.{}.albert_layers.0"
OURS = "encoder.blocks.{}"

EMBEDDINGS = {
    "encoder.embedding.tokens": "albert.embeddings.word_embeddings",
    "encoder.embedding.segments": "albert.embeddings.token_type_embeddings",
    "encoder.positions.table": "albert.embeddings.position_embeddings",
}
ENCODER = {
    "encoder.entry.0": "albert.embeddings.LayerNorm",
    "encoder.entry.2": "albert.encoder.embedding_hidden_mapping_in",
    f"{OURS}.self_attention.query": f"{THEIRS}.attention.query",
    f"{OURS}.self_attention.key": f"{THEIRS}.attention.key",
    f"{OURS}.self_attention.value": f"{THEIRS}.attention.value",
    f"{OURS}.self_attention.output": f"{THEIRS}.attention.dense",
    f"{OURS}.self_norm": f"{THEIRS}.attention.LayerNorm",
    f"{OURS}.feed_forward.widen": f"{THEIRS}.ffn",
    f"{OURS}.feed_forward.narrow": f"{THEIRS}.ffn_output",
    f"{OURS}.feed_forward_norm": f"{THEIRS}.full_layer_layer_norm",
}
TOKEN_HEAD = {"token_head.transform.0": "predictions.dense", "token_head.transform.2": "predictions.LayerNorm"}
PAIR_HEAD = {"pair_head.pool": "albert.pooler", "pair_head.scores": "sop_classifier.classifier"}
BODY = [*rows(EMBEDDINGS, "weight"), *rows(ENCODER, "weight", "bias")]
TOKENS = [*rows(TOKEN_HEAD, "weight", "bias"), Row(("token_head.scores.bias",), ("predictions.bias",))]
PAIRS = rows(PAIR_HEAD, "weight", "bias")


def table(model: Albert) -> list[Row]:
    heads = [("token_head", TOKENS), ("pair_head", PAIRS)]
    return BODY + [row for head, its in heads if getattr(model, head, None) is not None for row in its]


def build(config: Settings, tensors: Tensors) -> Albert:
    config.require(position_embedding_type="absolute", inner_group_num=1, tie_word_embeddings=True)
    return Albert(
        vocab_size=config.size("vocab_size"),
        embedding_width=config.size("embedding_size"),
        width=config.size("hidden_size"),
        depth=config.size("num_hidden_layers"),
        groups=config.size("num_hidden_groups", 1),
        heads=config.heads("num_attention_heads", "hidden_size"),
        hidden=config.size("intermediate_size"),
        max_length=config.size("max_position_embeddings"),
        dropout=config.fraction("hidden_dropout_prob", 0.0),
        segments=config.size("type_vocab_size", 2),
        pair_classes=2 if "albert.pooler.weight" in tensors else 0,
        activation=config.choice("hidden_act", ACTIVATIONS, "gelu_new"),
        norm=partial(nn.LayerNorm, eps=config.positive("layer_norm_eps", 1e-12)),
    )


PARTS = Parts(positions=LearnedPositions, norm=nn.LayerNorm, block=(PostNormBlock,), feed_forward=(FeedForward,))


def differences(model: Albert) -> Iterator[Difference]:
    yield from PARTS.differences(model.encoder)
    yield from positions_from(model.encoder.positions, 0)


def config(model: Albert) -> Config:
    facts = facts_of(model.encoder)
    return {
        "vocab_size": facts.embedding.tokens.num_embeddings,
        "embedding_size": facts.embedding.tokens.embedding_dim,
        "hidden_size": facts.width,
        "num_hidden_layers": facts.depth,
        "num_hidden_groups": len(model.encoder.blocks),
        "inner_group_num": 1,
        "num_attention_heads": facts.heads,
        "intermediate_size": facts.hidden,
        "hidden_act": facts.activation,
        "hidden_dropout_prob": facts.dropout,
        "attention_probs_dropout_prob": facts.dropout,
        "max_position_embeddings": learned_length(facts.positions),
        "type_vocab_size": facts.embedding.segments.num_embeddings,
        "layer_norm_eps": facts.eps,
    }


def architecture(model: Albert) -> str:
    return "AlbertForMaskedLM" if model.pair_head is None else "AlbertForPreTraining"


ALBERT = Family(
    model_type="albert",
    year=2019,
    models=(Albert,),
    build=build,
    table=table,
    differences=differences,
    config=config,
    architecture=architecture,
    prefix="albert.",
    tasks=[
        sequence_classification(
            "AlbertForSequenceClassification", "albert.pooler", "classifier", dropout="classifier_dropout_prob"
        ),
        token_classification("AlbertForTokenClassification", dropout="classifier_dropout_prob"),
        question_answering("AlbertForQuestionAnswering"),
    ],
    copies={
        "predictions.decoder.weight": "albert.embeddings.word_embeddings.weight",
        "predictions.decoder.bias": "predictions.bias",
    },
    # A buffer (0, 1, 2, ...), and a pooler that the model may do without.
    unused=r"albert\.(embeddings\.position_ids|pooler\.(weight|bias))",
    zeros=r"sop_classifier\.classifier\.(weight|bias)",  # a pooler without scores gets scores of zero
    heads=("token_head", "pair_head.scores"),
)
