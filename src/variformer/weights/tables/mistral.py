"""Mistral: `MistralForCausalLM`, and its heads for tasks. A Llama without biases, whose attention has a window.

Their `sliding_window` counts the position itself, our `window` those before it.
"""

from collections.abc import Iterator
from dataclasses import replace

from ...models import GPT
from ..describe import facts_of
from ..settings import Settings
from ..table import Config, Difference, Family, Tensors
from . import llama
from .decoders import whole_rotation
from .heads import last_token_classification, question_answering, token_classification

PARTS = replace(llama.PARTS, variants=(*llama.PARTS.variants, "window"), attention_bias=False, feed_forward_bias=False)
WINDOW = 4096  # of a config that does not say


def build(config: Settings, tensors: Tensors) -> GPT:
    config.require(attention_bias=False, mlp_bias=False)
    no_window = "sliding_window" in config.values and config.find("sliding_window") is None
    window = None if no_window else config.size("sliding_window", WINDOW) - 1
    return GPT(**llama.numbers(config, optional_groups=False, window=window))


def differences(model: GPT) -> Iterator[Difference]:
    yield from PARTS.differences(model.decoder)
    yield from whole_rotation(model.decoder.positions)


def config(model: GPT) -> Config:
    facts = facts_of(model.decoder)
    return llama.common(model, facts) | {"sliding_window": None if facts.window is None else facts.window + 1}


MISTRAL = Family(
    model_type="mistral",
    year=2023,
    models=(GPT,),
    build=build,
    table=llama.table,
    differences=differences,
    config=config,
    architecture=lambda model: "MistralForCausalLM",
    prefix="model.",
    tasks=[
        last_token_classification("MistralForSequenceClassification"),
        token_classification("MistralForTokenClassification", scores="score"),
        question_answering("MistralForQuestionAnswering"),
    ],
    copies=llama.COPIES,
    unused=llama.UNUSED,
    heads=("head",),
)
