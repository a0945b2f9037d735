"""Qwen3: `Qwen3ForCausalLM`, and its heads for tasks. A Llama whose queries and keys are normed before they turn."""

from collections.abc import Iterator
from dataclasses import replace
from functools import partial
from typing import Any

from torch import nn

from ...layers import Attention
from ...models import GPT
from ..describe import eps_of, facts_of
from ..settings import Settings
from ..table import Config, Difference, Family, Row, Tensors, rows
from . import llama
from .decoders import whole_rotation
from .heads import last_token_classification, question_answering, token_classification

PARTS = replace(llama.PARTS, variants=(*llama.PARTS.variants, "query_key_norm"), feed_forward_bias=False)
HEAD_WIDTH = 128  # of a config that does not say
NORMS = {
    f"{llama.OURS}.self_attention.query_norm": f"{llama.THEIRS}.self_attn.q_norm",
    f"{llama.OURS}.self_attention.key_norm": f"{llama.THEIRS}.self_attn.k_norm",
}


def table(model: GPT) -> list[Row]:
    return [*llama.table(model), *rows(NORMS, "weight")]


def build(config: Settings, tensors: Tensors) -> GPT:
    config.require(use_sliding_window=False, mlp_bias=False)
    norm = partial(nn.RMSNorm, eps=config.positive("rms_norm_eps", 1e-6))
    return GPT(**llama.numbers(config, optional_groups=False, head_width=HEAD_WIDTH, query_key_norm=norm))


def differences(model: GPT) -> Iterator[Difference]:
    yield from PARTS.differences(model.decoder)
    yield from whole_rotation(model.decoder.positions)
    first: Any = model.decoder.blocks[0]
    if not isinstance(getattr(first, "self_attention", None), Attention):
        return  # a part of its own, which is another one already
    norm, other = first.self_norm, first.self_attention.query_norm
    dtype = first.self_attention.query.weight.dtype
    if type(other) is not nn.RMSNorm:
        yield Difference("attention", f"query_key_norm={type(other).__name__}", "query_key_norm=RMSNorm")
    elif type(norm) is nn.RMSNorm and eps_of(other, dtype) != eps_of(norm, dtype):
        yield Difference("attention", f"query_key_norm with eps={other.eps}", f"that of the norms, {norm.eps}")


def config(model: GPT) -> Config:
    facts = facts_of(model.decoder)
    return llama.common(model, facts) | {"attention_bias": facts.attention_bias}


QWEN3 = Family(
    model_type="qwen3",
    year=2025,
    models=(GPT,),
    build=build,
    table=table,
    differences=differences,
    config=config,
    architecture=lambda model: "Qwen3ForCausalLM",
    prefix="model.",
    tasks=[
        last_token_classification("Qwen3ForSequenceClassification"),
        token_classification("Qwen3ForTokenClassification", scores="score"),
        question_answering("Qwen3ForQuestionAnswering", prefix="transformer."),
    ],
    copies=llama.COPIES,
    heads=("head",),
)
