"""DistilBERT: `DistilBertForMaskedLM`, and its heads for tasks."""

from collections.abc import Iterator
from functools import partial

from torch import nn

from ...layers import FeedForward, LearnedPositions, PostNormBlock
from ...models import DistilBert
from ..describe import Parts, facts_of, fixed_eps, learned_length, positions_from
from ..settings import Settings
from ..table import ACTIVATIONS, Config, Difference, Family, Row, Tensors, rows
from .heads import question_answering, sequence_classification, token_classification

THEIRS = "distilbert.transformer.layer.{}"
OURS = "encoder.blocks.{}"
EPS = 1e-12  # of every norm, whatever the config

EMBEDDINGS = {
    "encoder.embedding.tokens": "distilbert.embeddings.word_embeddings",
    "encoder.positions.table": "distilbert.embeddings.position_embeddings",
}
ENCODER = {
    "encoder.entry.0": "distilbert.embeddings.LayerNorm",
    f"{OURS}.self_attention.query": f"{THEIRS}.attention.q_lin",
    f"{OURS}.self_attention.key": f"{THEIRS}.attention.k_lin",
    f"{OURS}.self_attention.value": f"{THEIRS}.attention.v_lin",
    f"{OURS}.self_attention.output": f"{THEIRS}.attention.out_lin",
    f"{OURS}.self_norm": f"{THEIRS}.sa_layer_norm",
    f"{OURS}.feed_forward.widen": f"{THEIRS}.ffn.lin1",
    f"{OURS}.feed_forward.narrow": f"{THEIRS}.ffn.lin2",
    f"{OURS}.feed_forward_norm": f"{THEIRS}.output_layer_norm",
}
TOKEN_HEAD = {"token_head.transform.0": "vocab_transform", "token_head.transform.2": "vocab_layer_norm"}
BODY = [*rows(EMBEDDINGS, "weight"), *rows(ENCODER, "weight", "bias")]
TOKENS = [*rows(TOKEN_HEAD, "weight", "bias"), Row(("token_head.scores.bias",), ("vocab_projector.bias",))]


def table(model: DistilBert) -> list[Row]:
    return BODY + (TOKENS if hasattr(model, "token_head") else [])


def build(config: Settings, tensors: Tensors) -> DistilBert:
    config.require(tie_word_embeddings=True)
    return DistilBert(
        vocab_size=config.size("vocab_size"),
        width=config.size("dim"),
        depth=config.size("n_layers"),
        heads=config.heads("n_heads", "dim"),
        hidden=config.size("hidden_dim"),
        max_length=config.size("max_position_embeddings"),
        dropout=config.fraction("dropout", 0.1),
        activation=config.choice("activation", ACTIVATIONS, "gelu"),
        norm=partial(nn.LayerNorm, eps=EPS),
    )


PARTS = Parts(positions=LearnedPositions, norm=nn.LayerNorm, block=(PostNormBlock,), feed_forward=(FeedForward,))


def differences(model: DistilBert) -> Iterator[Difference]:
    yield from PARTS.differences(model.encoder)
    yield from positions_from(model.encoder.positions, 0)
    yield from fixed_eps(model.encoder, EPS)


def config(model: DistilBert) -> Config:
    facts = facts_of(model.encoder)
    return {
        "vocab_size": facts.embedding.tokens.num_embeddings,
        "dim": facts.width,
        "n_layers": facts.depth,
        "n_heads": facts.heads,
        "hidden_dim": facts.hidden,
        "activation": facts.activation,
        "dropout": facts.dropout,
        "attention_dropout": facts.dropout,
        "max_position_embeddings": learned_length(facts.positions),
    }


DISTILBERT = Family(
    model_type="distilbert",
    year=2019,
    models=(DistilBert,),
    build=build,
    table=table,
    differences=differences,
    config=config,
    architecture=lambda model: "DistilBertForMaskedLM",
    prefix="distilbert.",
    tasks=[
        sequence_classification(
            "DistilBertForSequenceClassification",
            "pre_classifier",
            "classifier",
            dropout="seq_classif_dropout",
            activation=nn.ReLU,
        ),
        token_classification("DistilBertForTokenClassification", dropout="dropout"),
        question_answering("DistilBertForQuestionAnswering"),
    ],
    copies={"vocab_projector.weight": "distilbert.embeddings.word_embeddings.weight"},
    unused=r"distilbert\.embeddings\.position_ids",  # a buffer: 0, 1, 2, ...
    heads=("token_head",),
)
