"""T5 1.0 and 1.1: `T5ForConditionalGeneration`, and its heads for tasks."""

from collections.abc import Iterator
from functools import partial
from typing import Any

from torch import nn

from ... import models
from ...layers import Activation, FeedForward, GatedFeedForward, PreNormBlock, RelativePositions, Transformer
from ..describe import Parts, facts_of
from ..settings import Settings
from ..table import ACTIVATIONS, SAME, Config, Difference, Edit, Family, Row, Tensors, activation_name, rows
from .heads import end_token_classification, reread_question_answering, token_classification

ATTENTION = {"query": "q", "key": "k", "value": "v", "output": "o"}
PLAIN = {"widen": "wi", "narrow": "wo"}
START, END = 0, 1
GATES: dict[str, Activation] = {f"gated-{name}": function for name, function in ACTIVATIONS.items()}
GATES["gated-gelu"] = "gelu_tanh"  # as their code reads it
GATED = {"gate": "wi_0", "widen": "wi_1", "narrow": "wo"}


def half(name: str, sublayers: list[str], feed_forward: dict[str, str]) -> dict[str, str]:
    """The encoder or the decoder. They number the sublayers of a block; the feed-forward one is the last."""
    theirs, ours = f"{name}.block.{{}}.layer", f"{name}.blocks.{{}}"
    table = {
        # They keep it in the first block, whose scores all the others reuse.
        f"{name}.positions.scores": f"{name}.block.0.layer.0.SelfAttention.relative_attention_bias",
        f"{name}.final_norm.0": f"{name}.final_layer_norm",
    }
    parts = {"SelfAttention": "self", "EncDecAttention": "cross", "DenseReluDense": "feed_forward"}
    for number, sublayer in enumerate(sublayers):
        part = parts[sublayer]
        table[f"{ours}.{part}_norm"] = f"{theirs}.{number}.layer_norm"
        module, matrices = (part, feed_forward) if part == "feed_forward" else (f"{part}_attention", ATTENTION)
        for mine, his in matrices.items():
            table[f"{ours}.{module}.{mine}"] = f"{theirs}.{number}.{sublayer}.{his}"
    return table


def table(model: models.T5) -> list[Row]:
    gated = any(isinstance(module, GatedFeedForward) for module in model.modules())
    feed_forward = GATED if gated else PLAIN
    names = {"encoder.embedding.tokens": "shared", **half("encoder", ["SelfAttention", "DenseReluDense"], feed_forward)}
    if hasattr(model, "decoder"):
        names |= half("decoder", ["SelfAttention", "EncDecAttention", "DenseReluDense"], feed_forward)
    if hasattr(model, "head") and not is_tied(model):
        names["head.scores"] = "lm_head"
    first: Any = model.encoder.blocks[0]
    scale = first.self_attention.scale
    return [
        row._replace(edit=folded(scale)) if row.theirs[0].endswith(".q.weight") else row
        for row in rows(names, "weight")
    ]


def is_tied(model: models.T5) -> bool:
    return model.head.scores.weight is model.get_parameter("encoder.embedding.tokens.weight")


def folded(scale: float) -> Edit:
    """Their attention never scales, so that our queries take their scale with them (exact for powers of two)."""
    return SAME if scale == 1 else Edit(lambda theirs: [theirs[0] / scale], lambda ours: [ours[0] * scale])


def build(config: Settings, tensors: Tensors) -> models.T5:
    """1.0 scales the states before its tied head, 1.1 does neither; transformers 5 writes that down."""
    depth, function = config.size("num_layers"), config.choice("feed_forward_proj", ACTIVATIONS | GATES, "relu")
    return models.T5(
        vocab_size=config.size("vocab_size"),
        width=config.size("d_model"),
        depth=depth,
        decoder_depth=config.size("num_decoder_layers", depth),
        heads=config.size("num_heads"),
        head_width=config.size("d_kv"),
        hidden=config.size("d_ff"),
        dropout=config.fraction("dropout_rate", 0.1),
        activation=function,
        tied_head=config.flag("scale_decoder_outputs", config.flag("tie_word_embeddings", True)),
        positions=partial(
            RelativePositions,
            buckets=config.size("relative_attention_num_buckets", 32),
            max_distance=config.size("relative_attention_max_distance", 128),
        ),
        norm=partial(nn.RMSNorm, eps=config.positive("layer_norm_epsilon", 1e-6)),
        feed_forward=GatedFeedForward if config.find("feed_forward_proj") in GATES else FeedForward,
    )


PARTS = Parts(
    positions=RelativePositions,
    norm=nn.RMSNorm,
    block=(PreNormBlock,),
    feed_forward=(FeedForward, GatedFeedForward),
    variants=("head_width", "scale"),
    attention_bias=False,
    feed_forward_bias=False,
)


def halves(model: models.T5) -> list[Transformer]:
    return [model.encoder, *([model.decoder] if hasattr(model, "decoder") else [])]


def differences(model: models.T5) -> Iterator[Difference]:
    yield from dict.fromkeys(each for half in halves(model) for each in PARTS.differences(half))
    first: Any = model.encoder.blocks[0].feed_forward
    if isinstance(first, GatedFeedForward) and activation_name(first.activation) == "gelu":
        yield Difference("activation of the gate", "gelu", "gelu_new, which it calls gated-gelu")


def config(model: models.T5) -> Config:
    facts, *decoder = map(facts_of, halves(model))
    function = facts.activation
    if isinstance(model.encoder.blocks[0].feed_forward, GatedFeedForward):
        function = {"gelu_new": "gated-gelu"}.get(function, f"gated-{function}")
    scaled = not hasattr(model, "head") or is_tied(model)
    return {
        "vocab_size": facts.embedding.tokens.num_embeddings,
        "d_model": facts.width,
        "d_kv": facts.head_width,
        "d_ff": facts.hidden,
        "num_layers": facts.depth,
        **({"num_decoder_layers": decoder[0].depth} if decoder else {}),
        "num_heads": facts.heads,
        "relative_attention_num_buckets": facts.positions.buckets,
        "relative_attention_max_distance": facts.positions.max_distance,
        "dropout_rate": facts.dropout,
        "feed_forward_proj": function,
        "layer_norm_epsilon": facts.eps,
        "is_encoder_decoder": True,
        "tie_word_embeddings": scaled,
        "scale_decoder_outputs": scaled,
    }


T5 = Family(
    model_type="t5",
    year=2019,
    models=(models.T5,),
    build=build,
    table=table,
    differences=differences,
    config=config,
    architecture=lambda model: "T5ForConditionalGeneration",
    prefix="",
    tokens={"decoder_start_token_id": START, "pad_token_id": 0, "eos_token_id": END},
    tasks=[
        end_token_classification("T5ForSequenceClassification", START, END, prefix="transformer."),
        token_classification("T5ForTokenClassification", prefix="transformer."),
        reread_question_answering("T5ForQuestionAnswering", START),
    ],
    copies={
        "encoder.embed_tokens.weight": "shared.weight",
        "decoder.embed_tokens.weight": "shared.weight",
        "lm_head.weight": "shared.weight",
    },
    fills_copies=True,
    # A leftover of the first release: cross-attention has no relative positions.
    unused=r"decoder\.block\.0\.layer\.1\.EncDecAttention\.relative_attention_bias\.weight",
    heads=("decoder", "head"),
)
