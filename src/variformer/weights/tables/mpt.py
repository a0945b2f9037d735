"""MPT: `MptForCausalLM`, and its heads for tasks.

It has no bias anywhere, also not in its norms. Its hidden layer is four times the width, and its GELU the exact one,
whatever the config.
"""

from collections.abc import Iterator
from functools import partial

from torch import nn

from ...layers import Attention, FeedForward, LinearBiasPositions, PreNormBlock
from ...models import GPT
from ..describe import Parts, facts_of
from ..settings import Settings
from ..table import MERGED, Config, Difference, Family, Row, Tensors, rows
from .decoders import four_times, head, is_tied
from .heads import last_token_classification, question_answering, token_classification

THEIRS = "transformer.blocks.{}"
OURS = "decoder.blocks.{}"
ACTIVATION = "gelu"
NAMES = {
    "decoder.embedding.tokens": "transformer.wte",
    f"{OURS}.self_norm": f"{THEIRS}.norm_1",
    f"{OURS}.self_attention.output": f"{THEIRS}.attn.out_proj",
    f"{OURS}.feed_forward_norm": f"{THEIRS}.norm_2",
    f"{OURS}.feed_forward.widen": f"{THEIRS}.ffn.up_proj",
    f"{OURS}.feed_forward.narrow": f"{THEIRS}.ffn.down_proj",
    "decoder.final_norm": "transformer.norm_f",
}
ATTENTION = tuple(f"{OURS}.self_attention.{part}.weight" for part in ("query", "key", "value"))
BODY = [*rows(NAMES, "weight"), Row(ATTENTION, (f"{THEIRS}.attn.Wqkv.weight",), MERGED)]
PARTS = Parts(
    positions=LinearBiasPositions,
    norm=nn.LayerNorm,
    block=(PreNormBlock,),
    feed_forward=(FeedForward,),
    attention_bias=False,
    feed_forward_bias=False,
    norm_bias=False,
    embedding_norm=False,
)


def build(config: Settings, tensors: Tensors) -> GPT:
    """Their class reads none of what is required here: such a checkpoint is of a model that it does not compute."""
    config.require(no_bias=True, expansion_ratio=4, logit_scale=False)
    attention = config.section("attn_config")
    wanted = dict(alibi=True, alibi_bias_max=8, attn_type="multihead_attention", qk_ln=False, prefix_lm=False)
    for name, value in (wanted | dict(clip_qkv=None, softmax_scale=None)).items():
        if attention.find(name) not in (None, value):
            raise ValueError(f"attn_config.{name}={attention.find(name)!r} is not supported, only {value!r}")
    width = config.size("d_model")
    return GPT(
        vocab_size=config.size("vocab_size"),
        width=width,
        depth=config.size("n_layers"),
        heads=config.heads("n_heads", "d_model"),
        hidden=4 * width,
        max_length=config.size("max_seq_len", 2048),
        dropout=config.fraction("resid_pdrop", 0.0),
        tied_head=config.flag("tie_word_embeddings", True),
        activation="gelu",
        positions=LinearBiasPositions,
        norm=partial(nn.LayerNorm, eps=config.positive("layer_norm_epsilon", 1e-5), bias=False),
        feed_forward=partial(FeedForward, bias=False),
        attention=partial(Attention, bias=False),
    )


def differences(model: GPT) -> Iterator[Difference]:
    yield from PARTS.differences(model.decoder)
    yield from four_times(model.decoder, ACTIVATION)


def config(model: GPT) -> Config:
    facts = facts_of(model.decoder)
    return {
        "vocab_size": facts.embedding.tokens.num_embeddings,
        "d_model": facts.width,
        "n_layers": facts.depth,
        "n_heads": facts.heads,
        "max_seq_len": model.max_length,
        "resid_pdrop": facts.dropout,
        "emb_pdrop": facts.dropout,
        "layer_norm_epsilon": facts.eps,
        "tie_word_embeddings": is_tied(model),
        "no_bias": True,
        "attn_config": {"alibi": True, "alibi_bias_max": 8},
    }


MPT = Family(
    model_type="mpt",
    year=2023,
    models=(GPT,),
    build=build,
    table=lambda model: [*BODY, *head(model, "lm_head")],
    differences=differences,
    config=config,
    architecture=lambda model: "MptForCausalLM",
    prefix="transformer.",
    tasks=[
        last_token_classification("MptForSequenceClassification"),
        token_classification("MptForTokenClassification"),
        question_answering("MptForQuestionAnswering"),
    ],
    copies={"lm_head.weight": "transformer.wte.weight"},
    heads=("head",),
)
