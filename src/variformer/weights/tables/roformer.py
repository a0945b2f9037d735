"""RoFormer: `RoFormerForMaskedLM`, a BERT without a pooler whose queries and keys turn; and its heads for tasks.

Theirs turns neighbouring pairs, and stores the angles' sines and cosines.
"""

from collections.abc import Iterator
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn

from ...layers import ACTIVATIONS as OUR_ACTIVATIONS
from ...layers import FeedForward, PostNormBlock, RotaryPositions
from ...models import Bert, Roberta, SequenceClassifier, TextModel
from ..describe import Parts, facts_of
from ..settings import Settings
from ..table import ACTIVATIONS, Config, Difference, Family, Row, Task, Tensors, activation_name, computed, turned_pairs
from . import bert
from .heads import question_answering, token_classification

BASE = 10000.0
WAVES = "roformer.encoder.embed_positions.weight"
POOL, SCORES = "classifier.dense", "classifier.out_proj"


def table(model: Bert) -> list[Row]:
    attention: Any = model.encoder.blocks[0].self_attention
    heads = bert.TOKENS if hasattr(model, "token_head") else []
    renamed = [row.renamed(str, lambda name: name.replace("bert.", "roformer.", 1)) for row in bert.BODY]
    kept = [row for row in renamed if "encoder.positions.table.weight" not in row.ours]
    return [
        Row((), (WAVES,), computed(WAVES, waves(attention.head_width, model.max_length))),
        *(row._replace(edit=turned_pairs(attention.heads)) if turns(row) else row for row in kept),
        *heads,
    ]


def turns(row: Row) -> bool:
    return any(f"self_attention.{part}." in name for name in row.ours for part in ("query", "key"))


def waves(width: int, length: int) -> Tensor:
    """(length, width): the sines of a head's angles at each position, then the cosines."""
    pairs = torch.arange(0, width, 2, dtype=torch.float64, device="cpu") / width
    angles = torch.arange(length, dtype=torch.float64, device="cpu")[:, None] * BASE**-pairs
    return torch.cat([angles.sin(), angles.cos()], 1).float()


def build(config: Settings, tensors: Tensors) -> Bert:
    width = config.size("hidden_size")
    config.require(
        rotary_value=False,
        embedding_size=width,
        is_decoder=False,
        add_cross_attention=False,
        tie_word_embeddings=True,
    )
    return Bert(
        vocab_size=config.size("vocab_size"),
        width=width,
        depth=config.size("num_hidden_layers"),
        heads=config.heads("num_attention_heads", "hidden_size"),
        hidden=config.size("intermediate_size"),
        max_length=config.size("max_position_embeddings", 1536),
        dropout=config.fraction("hidden_dropout_prob", 0.1),
        segments=config.size("type_vocab_size", 2),
        pair_classes=0,
        activation=config.choice("hidden_act", ACTIVATIONS, "gelu"),
        positions=partial(RotaryPositions, base=BASE),
        norm=partial(nn.LayerNorm, eps=config.positive("layer_norm_eps", 1e-12)),
    )


PARTS = Parts(positions=RotaryPositions, norm=nn.LayerNorm, block=(PostNormBlock,), feed_forward=(FeedForward,))


def differences(model: Bert) -> Iterator[Difference]:
    yield from PARTS.differences(model.encoder)
    if (pair_head := getattr(model, "pair_head", None)) is not None:
        yield Difference("pair_classes", str(pair_head.scores.out_features), "none")
    positions: Any = model.encoder.positions
    if type(positions) is RotaryPositions and (positions.base, positions.share) != (BASE, 1.0):
        yield Difference("positions", f"base={positions.base}, share={positions.share}", f"base={BASE}, share=1.0")


def config(model: Bert) -> Config:
    facts = facts_of(model.encoder)
    return {
        "vocab_size": facts.embedding.tokens.num_embeddings,
        "embedding_size": facts.width,
        "hidden_size": facts.width,
        "num_hidden_layers": facts.depth,
        "num_attention_heads": facts.heads,
        "intermediate_size": facts.hidden,
        "hidden_act": facts.activation,
        "hidden_dropout_prob": facts.dropout,
        "attention_probs_dropout_prob": facts.dropout,
        "max_position_embeddings": model.max_length,
        "type_vocab_size": facts.embedding.segments.num_embeddings,
        "layer_norm_eps": facts.eps,
        "rotary_value": False,
    }


def sequence_classifier(body: TextModel, config: Settings, classes: int) -> SequenceClassifier:
    """Their hidden layer has the activation of the blocks."""
    activation = OUR_ACTIVATIONS[config.choice("hidden_act", ACTIVATIONS, "gelu")]
    return SequenceClassifier(body, classes, config.fraction("hidden_dropout_prob", 0.1), activation)


def differences_of_classifier(model: Any) -> Iterator[Difference]:
    ours, theirs = model.head.activation, model.body.encoder.blocks[0].feed_forward.activation
    if repr(ours) != repr(theirs):
        yield Difference("activation of the head", type(ours).__name__, activation_name(theirs))


ROFORMER = Family(
    model_type="roformer",
    year=2021,
    models=(Bert, Roberta),
    build=build,
    table=table,
    differences=differences,
    config=config,
    architecture=lambda model: "RoFormerForMaskedLM",
    prefix="roformer.",
    tasks=[
        Task(
            "RoFormerForSequenceClassification",
            SequenceClassifier,
            {"head.pool": POOL, "head.scores": SCORES},
            sequence_classifier,
            differences=differences_of_classifier,
        ),
        token_classification("RoFormerForTokenClassification", dropout="hidden_dropout_prob"),
        question_answering("RoFormerForQuestionAnswering"),
    ],
    copies={
        "cls.predictions.decoder.weight": "roformer.embeddings.word_embeddings.weight",
        "cls.predictions.decoder.bias": "cls.predictions.bias",
    },
    heads=("token_head",),
)
