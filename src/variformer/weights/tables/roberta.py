"""RoBERTa: `RobertaForMaskedLM`, and its heads for tasks."""

from collections.abc import Iterator
from functools import partial
from typing import Any

from torch import nn

from ...layers import CountedPositions, FeedForward, PostNormBlock
from ...models import Roberta
from ..describe import Parts, facts_of, learned_length
from ..settings import Settings
from ..table import ACTIVATIONS, Config, Difference, Family, Row, Tensors, activation_name, rows
from . import bert
from .heads import question_answering, sequence_classification, token_classification

BODY = [row._replace(theirs=tuple(name.replace("bert.", "roberta.", 1) for name in row.theirs)) for row in bert.BODY]
TOKEN_HEAD = {"token_head.transform.0": "lm_head.dense", "token_head.transform.2": "lm_head.layer_norm"}
TOKENS = [*rows(TOKEN_HEAD, "weight", "bias"), Row(("token_head.scores.bias",), ("lm_head.bias",))]


def table(model: Roberta) -> list[Row]:
    return BODY + (TOKENS if hasattr(model, "token_head") else [])


def build(config: Settings, tensors: Tensors) -> Roberta:
    """Their positions are counted from the id of padding, plus one; their token head has GELU whatever the config."""
    config.require(position_embedding_type="absolute", is_decoder=False, tie_word_embeddings=True)
    if "lm_head.dense.weight" in tensors:
        config.require(hidden_act="gelu")
    if "pad_token_id" in config.values and config.find("pad_token_id") is None:
        raise ValueError("pad_token_id is null, but positions are counted from it; it is 1 in published models")
    offset = config.token("pad_token_id", 1) + 1
    if config.size("max_position_embeddings") <= offset:
        raise ValueError(f"max_position_embeddings: its first {offset}, up to pad_token_id, are no positions")
    return Roberta(
        vocab_size=config.size("vocab_size"),
        width=config.size("hidden_size"),
        depth=config.size("num_hidden_layers"),
        heads=config.heads("num_attention_heads", "hidden_size"),
        hidden=config.size("intermediate_size"),
        max_length=config.size("max_position_embeddings") - offset,
        dropout=config.fraction("hidden_dropout_prob", 0.1),
        segments=config.size("type_vocab_size", 2),
        activation=config.choice("hidden_act", ACTIVATIONS, "gelu"),
        positions=partial(CountedPositions, offset=offset),
        norm=partial(nn.LayerNorm, eps=config.positive("layer_norm_eps", 1e-12)),
    )


PARTS = Parts(positions=CountedPositions, norm=nn.LayerNorm, block=(PostNormBlock,), feed_forward=(FeedForward,))


def differences(model: Roberta) -> Iterator[Difference]:
    yield from PARTS.differences(model.encoder)
    head: Any = getattr(model, "token_head", None)
    if head is not None and (name := activation_name(head.transform[1])) != "gelu":
        yield Difference("activation of the token head", name, "gelu")


def config(model: Roberta) -> Config:
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
        "max_position_embeddings": learned_length(facts.positions) + facts.positions.offset,
        "pad_token_id": facts.positions.offset - 1,
        "type_vocab_size": facts.embedding.segments.num_embeddings,
        "layer_norm_eps": facts.eps,
    }


ROBERTA = Family(
    model_type="roberta",
    year=2019,
    models=(Roberta,),
    build=build,
    table=table,
    differences=differences,
    config=config,
    architecture=lambda model: "RobertaForMaskedLM",
    prefix="roberta.",
    tasks=[
        sequence_classification("RobertaForSequenceClassification", "classifier.dense", "classifier.out_proj"),
        token_classification("RobertaForTokenClassification"),
        question_answering("RobertaForQuestionAnswering"),
    ],
    copies={
        "lm_head.decoder.weight": "roberta.embeddings.word_embeddings.weight",
        "lm_head.decoder.bias": "lm_head.bias",
    },
    # A buffer (0, 1, 2, ...), and a pooler that nothing trained.
    unused=r"roberta\.(embeddings\.position_ids|pooler\.dense\.(weight|bias))",
    heads=("token_head",),
)
