"""GPT-2, and GPT-3, which has no class of its own: `GPT2LMHeadModel`, and its heads for tasks.

It stores its linear layers transposed, and query, key and value as one.
"""

from collections.abc import Iterator
from functools import partial

from torch import nn

from ...layers import FeedForward, LearnedPositions, PreNormBlock
from ...models import GPT
from ..describe import Parts, facts_of, learned_length, positions_from
from ..settings import Settings
from ..table import (
    ACTIVATIONS,
    MERGED,
    MERGED_AND_TRANSPOSED,
    TRANSPOSED,
    Config,
    Difference,
    Family,
    Row,
    Tensors,
    rows,
)
from .decoders import head, is_tied
from .heads import last_token_classification, question_answering, token_classification

THEIRS = "transformer.h.{}"
OURS = "decoder.blocks.{}"
MATRICES = {
    f"{OURS}.self_attention.output": f"{THEIRS}.attn.c_proj",
    f"{OURS}.feed_forward.widen": f"{THEIRS}.mlp.c_fc",
    f"{OURS}.feed_forward.narrow": f"{THEIRS}.mlp.c_proj",
}
NORMS = {
    f"{OURS}.self_norm": f"{THEIRS}.ln_1",
    f"{OURS}.feed_forward_norm": f"{THEIRS}.ln_2",
    "decoder.final_norm": "transformer.ln_f",
}
ATTENTION = [f"{OURS}.self_attention.{part}" for part in ("query", "key", "value")]

TABLE = [
    *rows(
        {"decoder.embedding.tokens": "transformer.wte", "decoder.positions.table": "transformer.wpe"},
        "weight",
    ),
    *rows(NORMS, "weight", "bias"),
    *rows(MATRICES, "weight", edit=TRANSPOSED),
    *rows(MATRICES, "bias"),
    Row(tuple(f"{part}.weight" for part in ATTENTION), (f"{THEIRS}.attn.c_attn.weight",), MERGED_AND_TRANSPOSED),
    Row(tuple(f"{part}.bias" for part in ATTENTION), (f"{THEIRS}.attn.c_attn.bias",), MERGED),
]


def build(config: Settings, tensors: Tensors) -> GPT:
    config.require(
        scale_attn_weights=True,
        scale_attn_by_inverse_layer_idx=False,
        add_cross_attention=False,
    )
    return GPT(
        vocab_size=config.size("vocab_size"),
        width=config.size("n_embd"),
        depth=config.size("n_layer"),
        heads=config.heads("n_head", "n_embd"),
        hidden=config.size("n_inner", 4 * config.size("n_embd")),
        max_length=config.size("n_positions"),
        dropout=config.fraction("resid_pdrop", 0.1),
        tied_head=config.flag("tie_word_embeddings", True),
        activation=config.choice("activation_function", ACTIVATIONS, "gelu_new"),
        norm=partial(nn.LayerNorm, eps=config.positive("layer_norm_epsilon", 1e-5)),
    )


PARTS = Parts(
    positions=LearnedPositions,
    norm=nn.LayerNorm,
    block=(PreNormBlock,),
    feed_forward=(FeedForward,),
    embedding_norm=False,
)


def differences(model: GPT) -> Iterator[Difference]:
    yield from PARTS.differences(model.decoder)
    yield from positions_from(model.decoder.positions, 0)


def config(model: GPT) -> Config:
    facts = facts_of(model.decoder)
    return {
        "vocab_size": facts.embedding.tokens.num_embeddings,
        "n_embd": facts.width,
        "n_layer": facts.depth,
        "n_head": facts.heads,
        "n_inner": facts.hidden,
        "n_positions": learned_length(facts.positions),
        "activation_function": facts.activation,
        "resid_pdrop": facts.dropout,
        "embd_pdrop": facts.dropout,
        "attn_pdrop": facts.dropout,
        "layer_norm_epsilon": facts.eps,
        "tie_word_embeddings": is_tied(model),
    }


GPT2 = Family(
    model_type="gpt2",
    year=2019,
    models=(GPT,),
    build=build,
    table=lambda model: [*TABLE, *head(model, "lm_head")],
    differences=differences,
    config=config,
    architecture=lambda model: "GPT2LMHeadModel",
    prefix="transformer.",
    tasks=[
        last_token_classification("GPT2ForSequenceClassification"),
        token_classification("GPT2ForTokenClassification"),
        question_answering("GPT2ForQuestionAnswering"),
    ],
    copies={"lm_head.weight": "transformer.wte.weight"},
    unused=r"transformer\.h\.\d+\.attn\.(masked_)?bias",  # buffers: the mask and its score
    heads=("head",),
)
