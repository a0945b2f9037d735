"""GPT-NeoX and Pythia: `GPTNeoXForCausalLM`, and its heads for tasks.

Its residuals are parallel or sequential, by a word of its config. Query, key and value are stored as one, head by head.
"""

from collections.abc import Iterator
from functools import partial

from torch import nn

from ...layers import Attention, FeedForward, ParallelBlock, PreNormBlock, RotaryPositions
from ...models import GPT
from ..describe import Parts, facts_of
from ..settings import Settings
from ..table import ACTIVATIONS, Config, Difference, Family, Row, Tensors, merged_by_head, rows
from .decoders import head, is_tied, rotary
from .heads import last_token_classification, question_answering, token_classification

THEIRS = "gpt_neox.layers.{}"
OURS = "decoder.blocks.{}"
NAMES = {
    f"{OURS}.self_norm": f"{THEIRS}.input_layernorm",
    f"{OURS}.feed_forward_norm": f"{THEIRS}.post_attention_layernorm",
    f"{OURS}.feed_forward.widen": f"{THEIRS}.mlp.dense_h_to_4h",
    f"{OURS}.feed_forward.narrow": f"{THEIRS}.mlp.dense_4h_to_h",
    "decoder.final_norm": "gpt_neox.final_layer_norm",
}
BODY = [*rows({"decoder.embedding.tokens": "gpt_neox.embed_in"}, "weight"), *rows(NAMES, "weight", "bias")]
MERGED = tuple(f"{OURS}.self_attention.{part}" for part in ("query", "key", "value"))
PARTS = Parts(
    positions=RotaryPositions,
    norm=nn.LayerNorm,
    block=(PreNormBlock, ParallelBlock),
    feed_forward=(FeedForward,),
    attention_bias=None,
    embedding_norm=False,
)


def table(model: GPT) -> list[Row]:
    facts = facts_of(model.decoder)
    kinds = ("weight", "bias") if facts.attention_bias else ("weight",)
    merged = [
        Row(
            tuple(f"{part}.{kind}" for part in MERGED),
            (f"{THEIRS}.attention.query_key_value.{kind}",),
            merged_by_head(facts.heads),
        )
        for kind in kinds
    ]
    output = rows({f"{OURS}.self_attention.output": f"{THEIRS}.attention.dense"}, *kinds)
    return [*BODY, *merged, *output, *head(model, "embed_out")]


def build(config: Settings, tensors: Tensors) -> GPT:
    width, heads = config.size("hidden_size"), config.heads("num_attention_heads", "hidden_size")
    return GPT(
        vocab_size=config.size("vocab_size"),
        width=width,
        depth=config.size("num_hidden_layers"),
        heads=heads,
        hidden=config.size("intermediate_size"),
        max_length=config.size("max_position_embeddings", 2048),
        dropout=config.fraction("hidden_dropout", 0.0),
        tied_head=config.flag("tie_word_embeddings", False),
        activation=config.choice("hidden_act", ACTIVATIONS, "gelu"),
        positions=rotary(config, width // heads, base="rotary_emb_base", share="rotary_pct", default=0.25),
        norm=partial(nn.LayerNorm, eps=config.positive("layer_norm_eps", 1e-5)),
        block=ParallelBlock if config.flag("use_parallel_residual", True) else PreNormBlock,
        attention=partial(Attention, bias=config.flag("attention_bias", True)),
    )


def differences(model: GPT) -> Iterator[Difference]:
    yield from PARTS.differences(model.decoder)


def config(model: GPT) -> Config:
    facts = facts_of(model.decoder)
    return {
        "vocab_size": facts.embedding.tokens.num_embeddings,
        "hidden_size": facts.width,
        "num_hidden_layers": facts.depth,
        "num_attention_heads": facts.heads,
        "intermediate_size": facts.hidden,
        "max_position_embeddings": model.max_length,
        "hidden_act": facts.activation,
        "hidden_dropout": facts.dropout,
        "attention_dropout": facts.dropout,
        "layer_norm_eps": facts.eps,
        "rotary_emb_base": facts.positions.base,
        "rotary_pct": facts.positions.share,
        "attention_bias": facts.attention_bias,
        "use_parallel_residual": isinstance(model.decoder.blocks[0], ParallelBlock),
        "tie_word_embeddings": is_tied(model),
    }


GPT_NEOX = Family(
    model_type="gpt_neox",
    year=2022,
    models=(GPT,),
    build=build,
    table=table,
    differences=differences,
    config=config,
    architecture=lambda model: "GPTNeoXForCausalLM",
    prefix="gpt_neox.",
    tasks=[
        last_token_classification("GPTNeoXForSequenceClassification"),
        token_classification("GPTNeoXForTokenClassification"),
        question_answering("GPTNeoXForQuestionAnswering"),
    ],
    copies={"embed_out.weight": "gpt_neox.embed_in.weight"},
    # Buffers: the mask and its score, and what positions turn by.
    unused=r"gpt_neox\.layers\.\d+\.attention\.((masked_)?bias|rotary_emb\.inv_freq)",
    heads=("head",),
)
