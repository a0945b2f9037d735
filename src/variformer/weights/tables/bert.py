"""BERT with its two heads: `BertForPreTraining`, or `BertForMaskedLM` without the judge of pairs."""

from collections.abc import Collection
from functools import partial

from torch import nn

from ...models import Bert
from ..table import Config, Family, Row, activation, require, rows

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


def table(model: Bert) -> list[Row]:
    heads = TOKEN_HEAD | (PAIR_HEAD if model.pair_head is not None else {})
    bias = Row(("token_head.scores.bias",), "cls.predictions.bias")
    return [*rows(EMBEDDINGS, "weight"), *rows(ENCODER | heads, "weight", "bias"), bias]


def build(config: Config, names: Collection[str]) -> Bert:
    require(config, position_embedding_type="absolute", is_decoder=False, tie_word_embeddings=True)
    return Bert(
        vocab_size=config["vocab_size"],
        width=config["hidden_size"],
        depth=config["num_hidden_layers"],
        heads=config["num_attention_heads"],
        hidden=config["intermediate_size"],
        max_length=config["max_position_embeddings"],
        dropout=config.get("hidden_dropout_prob", 0.1),
        segments=config.get("type_vocab_size", 2),
        pair_classes=2 if "cls.seq_relationship.weight" in names else 0,
        activation=activation(config.get("hidden_act", "gelu")),
        norm=partial(nn.LayerNorm, eps=config.get("layer_norm_eps", 1e-12)),
    )


BERT = Family(
    model=Bert,
    build=build,
    table=table,
    prefix="bert.",
    copies={
        "cls.predictions.decoder.weight": "bert.embeddings.word_embeddings.weight",
        "cls.predictions.decoder.bias": "cls.predictions.bias",
    },
    unused=r"bert\.embeddings\.position_ids",  # a buffer: 0, 1, 2, ...
)
