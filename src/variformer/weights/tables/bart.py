"""BART: `BartForConditionalGeneration`, and its heads for tasks."""

from collections.abc import Iterator
from functools import partial

from torch import nn

from ...layers import FeedForward, LearnedPositions, PostNormBlock
from ...models import Bart
from ..describe import Parts, facts_of, fixed_eps, learned_length, positions_from
from ..settings import Settings
from ..table import ACTIVATIONS, UNSQUEEZED, Config, Difference, Family, Row, Tensors, rows
from .heads import end_token_classification, reread_question_answering

ATTENTION = {"query": "q_proj", "key": "k_proj", "value": "v_proj", "output": "out_proj"}
START, END = 2, 2
EPS = 1e-5  # of every norm; their config has no word for it
UNUSED_POSITIONS = 2


def half(name: str, attentions: dict[str, str]) -> list[Row]:
    """The encoder or the decoder."""
    theirs, ours = f"model.{name}.layers.{{}}", f"{name}.blocks.{{}}"
    names = {
        f"{name}.entry.0": f"model.{name}.layernorm_embedding",
        f"{ours}.feed_forward.widen": f"{theirs}.fc1",
        f"{ours}.feed_forward.narrow": f"{theirs}.fc2",
        f"{ours}.feed_forward_norm": f"{theirs}.final_layer_norm",
    }
    for mine, its in attentions.items():
        names[f"{ours}.{mine}_norm"] = f"{theirs}.{its}_layer_norm"
        names |= {f"{ours}.{mine}_attention.{each}": f"{theirs}.{its}.{other}" for each, other in ATTENTION.items()}
    positions = {f"{name}.positions.table": f"model.{name}.embed_positions"}
    return [*rows(positions, "weight"), *rows(names, "weight", "bias")]


BODY = [
    *rows({"encoder.embedding.tokens": "model.shared"}, "weight"),
    *half("encoder", {"self": "self_attn"}),
    *half("decoder", {"self": "self_attn", "cross": "encoder_attn"}),
]
SCORE_BIAS = Row(("score_bias",), ("final_logits_bias",), UNSQUEEZED)


def table(model: Bart) -> list[Row]:
    return [*BODY, SCORE_BIAS] if hasattr(model, "score_bias") else BODY


def build(config: Settings, tensors: Tensors) -> Bart:
    depth, hidden = config.size("encoder_layers"), config.size("encoder_ffn_dim")
    heads = config.heads("encoder_attention_heads", "d_model")
    config.require(
        decoder_attention_heads=heads,
        decoder_ffn_dim=hidden,
        scale_embedding=False,
        tie_word_embeddings=True,
        normalize_before=False,  # this and what follows is said by the first files alone
        normalize_embedding=True,
        add_final_layer_norm=False,
        static_position_embeddings=False,
    )
    return Bart(
        vocab_size=config.size("vocab_size"),
        width=config.size("d_model"),
        depth=depth,
        decoder_depth=config.size("decoder_layers", depth),
        heads=heads,
        hidden=hidden,
        max_length=config.size("max_position_embeddings"),
        dropout=config.fraction("dropout", 0.1),
        activation=config.choice("activation_function", ACTIVATIONS, "gelu"),
        positions=partial(LearnedPositions, offset=UNUSED_POSITIONS),
        norm=partial(nn.LayerNorm, eps=EPS),
    )


PARTS = Parts(positions=LearnedPositions, norm=nn.LayerNorm, block=(PostNormBlock,), feed_forward=(FeedForward,))


def differences(model: Bart) -> Iterator[Difference]:
    for half in (model.encoder, model.decoder):
        yield from PARTS.differences(half)
        yield from positions_from(half.positions, UNUSED_POSITIONS)
        yield from fixed_eps(half, EPS)


def config(model: Bart) -> Config:
    facts, decoder = facts_of(model.encoder), facts_of(model.decoder)
    sizes = {"attention_heads": facts.heads, "ffn_dim": facts.hidden}
    return {
        "vocab_size": facts.embedding.tokens.num_embeddings,
        "d_model": facts.width,
        "encoder_layers": facts.depth,
        "decoder_layers": decoder.depth,
        **{f"{half}_{name}": size for half in ("encoder", "decoder") for name, size in sizes.items()},
        "activation_function": facts.activation,
        "dropout": facts.dropout,
        "attention_dropout": facts.dropout,
        "activation_dropout": 0.0,
        "max_position_embeddings": learned_length(facts.positions),
        "scale_embedding": False,
        "is_encoder_decoder": True,
    }


BART = Family(
    model_type="bart",
    year=2019,
    models=(Bart,),
    build=build,
    table=table,
    differences=differences,
    config=config,
    architecture=lambda model: "BartForConditionalGeneration",
    prefix="model.",
    tokens={"decoder_start_token_id": START, "bos_token_id": 0, "pad_token_id": 1, "eos_token_id": END},
    tasks=[
        end_token_classification("BartForSequenceClassification", START, END),
        reread_question_answering("BartForQuestionAnswering", START),
    ],
    copies={
        "model.encoder.embed_tokens.weight": "model.shared.weight",
        "model.decoder.embed_tokens.weight": "model.shared.weight",
        "lm_head.weight": "model.shared.weight",
    },
    unused=r"model\.(encoder|decoder)\.version",  # fairseq's
    zeros=r"final_logits_bias",
)
