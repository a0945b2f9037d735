"""BERT: `BertForPreTraining`, or `BertForMaskedLM` without its next-sentence head; and its heads for tasks."""

from collections.abc import Iterator
from functools import partial

from torch import nn

from ...layers import FeedForward, LearnedPositions, PostNormBlock
from ...models import Bert
from ..describe import Parts, facts_of, learned_length, positions_from
from ..settings import Settings
from ..table import ACTIVATIONS, Config, Difference, Family, Row, Tensors, rows
from .heads import question_answering, sequence_classification, token_classification

THEIRS = "bert.encoder.layer.{}"
OURS = "encoder.blocks.{}"

EMBEDDINGS = {
    "encoder.embedding.tokens": "bert.embeddings.word_embeddings",
    "encoder.embedding.segments": "bert.embeddings.token_type_embeddings",
    "encoder.positions.table": "bert.embeddings.position_embeddings",
}
ENCODER = {
    "encoder.entry.0": "bert.embeddings.LayerNorm",
    f"{OURS}.self_attention.query": f"{THEIRS}.attention.self.query",
    f"{OURS}.self_attention.key": f"{THEIRS}.attention.self.key",
    f"{OURS}.self_attention.value": f"{THEIRS}.attention.self.value",
    f"{OURS}.self_attention.output": f"{THEIRS}.attention.output.dense",
    f"{OURS}.self_norm": f"{THEIRS}.attention.output.LayerNorm",
    f"{OURS}.feed_forward.widen": f"{THEIRS}.intermediate.dense",
    f"{OURS}.feed_forward.narrow": f"{THEIRS}.output.dense",
    f"{OURS}.feed_forward_norm": f"{THEIRS}.output.LayerNorm",
}
TOKEN_HEAD = {
    "token_head.transform.0": "cls.predictions.transform.dense",
    "token_head.transform.2": "cls.predictions.transform.LayerNorm",
}
PAIR_HEAD = {"pair_head.pool": "bert.pooler.dense", "pair_head.scores": "cls.seq_relationship"}
BODY = [*rows(EMBEDDINGS, "weight"), *rows(ENCODER, "weight", "bias")]
TOKENS = [*rows(TOKEN_HEAD, "weight", "bias"), Row(("token_head.scores.bias",), ("cls.predictions.bias",))]
PAIRS = rows(PAIR_HEAD, "weight", "bias")


def table(model: Bert) -> list[Row]:
    heads = [("token_head", TOKENS), ("pair_head", PAIRS)]
    return BODY + [row for head, its in heads if getattr(model, head, None) is not None for row in its]


def build(config: Settings, tensors: Tensors) -> Bert:
    config.require(position_embedding_type="absolute", is_decoder=False, tie_word_embeddings=True)
    return Bert(
        vocab_size=config.size("vocab_size"),
        width=config.size("hidden_size"),
        depth=config.size("num_hidden_layers"),
        heads=config.heads("num_attention_heads", "hidden_size"),
        hidden=config.size("intermediate_size"),
        max_length=config.size("max_position_embeddings"),
        dropout=config.fraction("hidden_dropout_prob", 0.1),
        segments=config.size("type_vocab_size", 2),
        pair_classes=2 if "bert.pooler.dense.weight" in tensors else 0,
        activation=config.choice("hidden_act", ACTIVATIONS, "gelu"),
        norm=partial(nn.LayerNorm, eps=config.positive("layer_norm_eps", 1e-12)),
    )


PARTS = Parts(positions=LearnedPositions, norm=nn.LayerNorm, block=(PostNormBlock,), feed_forward=(FeedForward,))


def differences(model: Bert) -> Iterator[Difference]:
    yield from PARTS.differences(model.encoder)
    yield from positions_from(model.encoder.positions, 0)


def config(model: Bert) -> Config:
    facts = facts_of(model.encoder)
    return {
        "vocab_size": facts.embedding.tokens.num_embeddings,
        "hidden_size": facts.width,
        "num_hidden_layers": facts.depth,
        "num_attention_heads": facts.heads,
        "intermediate_size": facts.hidden,
        "hidden_act": facts.activation,
        "hidden_dropout_prob": facts.dropout,
        "attention_probs_dropout_prob": facts.dropout,
        "max_position_embeddings": learned_length(facts.positions),
        "type_vocab_size": facts.embedding.segments.num_embeddings,
        "layer_norm_eps": facts.eps,
    }


def architecture(model: Bert) -> str:
    return "BertForMaskedLM" if model.pair_head is None else "BertForPreTraining"


BERT = Family(
    model_type="bert",
    year=2018,
    models=(Bert,),
    build=build,
    table=table,
    differences=differences,
    config=config,
    architecture=architecture,
    prefix="bert.",
    tasks=[
        sequence_classification("BertForSequenceClassification", "bert.pooler.dense", "classifier"),
        token_classification("BertForTokenClassification"),
        question_answering("BertForQuestionAnswering"),
    ],
    copies={
        "cls.predictions.decoder.weight": "bert.embeddings.word_embeddings.weight",
        "cls.predictions.decoder.bias": "cls.predictions.bias",
    },
    # A buffer (0, 1, 2, ...), and a pooler that the model may do without.
    unused=r"bert\.(embeddings\.position_ids|pooler\.dense\.(weight|bias))",
    zeros=r"cls\.seq_relationship\.(weight|bias)",  # a pooler without scores gets scores of zero
    heads=("token_head", "pair_head.scores"),
)
