"""ELECTRA: the discriminator is `ElectraForPreTraining`, the generator `ElectraForMaskedLM`; and heads for tasks.

Their files hold one of the two. A discriminator comes without a generator, and goes without the one that it was trained
with. A generator is a BERT of ours whose embeddings may have a width of their own.
"""

from collections.abc import Iterator
from functools import partial
from typing import Any

from torch import nn

from ...layers import FeedForward, LearnedPositions, PostNormBlock
from ...models import Bert, Electra
from ..describe import Parts, facts_of, kinds, learned_length, positions_from
from ..settings import Settings
from ..table import ACTIVATIONS, Config, Difference, Family, Row, Tensors, rows
from . import bert
from .heads import question_answering, sequence_classification, token_classification

WIDENING = {"encoder.entry.2": "electra.embeddings_project"}
GENERATES = {
    "token_head.transform.0": "generator_predictions.dense",
    "token_head.transform.2": "generator_predictions.LayerNorm",
}
DETECTS = {
    "replaced_head.transform.0": "discriminator_predictions.dense",
    "replaced_head.scores": "discriminator_predictions.dense_prediction",
}
BODY = [row.renamed(str, lambda name: name.replace("bert.", "electra.", 1)) for row in bert.BODY]
TOKENS = [*rows(GENERATES, "weight", "bias"), Row(("token_head.scores.bias",), ("generator_lm_head.bias",))]
GENERATOR = "ElectraForMaskedLM"


def table(model: Any) -> list[Row]:
    widening = rows(WIDENING, "weight", "bias") if len(model.encoder.entry) > 2 else []
    heads = [("token_head", TOKENS), ("replaced_head", rows(DETECTS, "weight", "bias"))]
    return BODY + widening + [row for head, its in heads if hasattr(model, head) for row in its]


def build(config: Settings, tensors: Tensors) -> Bert:
    config.require(position_embedding_type="absolute", is_decoder=False, tie_word_embeddings=True)
    width = config.size("hidden_size")
    sizes = {
        "vocab_size": config.size("vocab_size"),
        "embedding_width": config.size("embedding_size", 128),
        "width": width,
        "depth": config.size("num_hidden_layers"),
        "heads": config.heads("num_attention_heads", "hidden_size"),
        "hidden": config.size("intermediate_size"),
        "max_length": config.size("max_position_embeddings", 512),
        "dropout": config.fraction("hidden_dropout_prob", 0.1),
        "segments": config.size("type_vocab_size", 2),
        "activation": config.choice("hidden_act", ACTIVATIONS, "gelu"),
        "norm": partial(nn.LayerNorm, eps=config.positive("layer_norm_eps", 1e-12)),
    }
    generates = "generator_lm_head.bias" in tensors or "generator_predictions.dense.weight" in tensors
    if not (generates or GENERATOR in config.architectures()):
        return Electra(generator_divisor=None, **sizes)
    config.require(hidden_act="gelu")  # their generator's head has it, whatever the config says
    return Bert(pair_classes=0, **sizes)


PARTS = Parts(positions=LearnedPositions, norm=nn.LayerNorm, block=(PostNormBlock,), feed_forward=(FeedForward,))


def differences(model: Any) -> Iterator[Difference]:
    yield from PARTS.differences(model.encoder)
    yield from positions_from(model.encoder.positions, 0)
    if getattr(model, "pair_head", None) is not None:
        yield Difference("pair_head", "one", "none")
    if hasattr(model, "token_head"):
        yield from kinds("activation of the head", model.token_head.transform[1], (nn.GELU,))


def config(model: Any) -> Config:
    facts = facts_of(model.encoder)
    return {
        "vocab_size": facts.embedding.tokens.num_embeddings,
        "embedding_size": facts.embedding.tokens.embedding_dim,
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


def architecture(model: nn.Module) -> str:
    return "ElectraForPreTraining" if isinstance(model, Electra) else GENERATOR


ELECTRA = Family(
    model_type="electra",
    year=2020,
    models=(Electra, Bert),
    build=build,
    table=table,
    differences=differences,
    config=config,
    architecture=architecture,
    prefix="electra.",
    tasks=[
        sequence_classification(
            "ElectraForSequenceClassification", "classifier.dense", "classifier.out_proj", activation=nn.GELU
        ),
        token_classification("ElectraForTokenClassification"),
        question_answering("ElectraForQuestionAnswering"),
    ],
    copies={"generator_lm_head.weight": "electra.embeddings.word_embeddings.weight"},
    unused=r"electra\.embeddings\.position_ids",  # a buffer (0, 1, 2, ...)
    heads=("token_head", "replaced_head"),
    left_out=("generator",),
)
