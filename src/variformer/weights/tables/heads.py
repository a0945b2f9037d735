"""Their heads for tasks that several families share."""

from collections.abc import Iterator
from typing import Any

from torch import nn

from ...models import (
    EncoderDecoder,
    EndTokenClassifier,
    LastTokenClassifier,
    RereadSpanFinder,
    SequenceClassifier,
    SpanFinder,
    TextModel,
    TokenClassifier,
)
from ..describe import kinds
from ..settings import Settings
from ..table import Config, Difference, Task

DROPOUT = {
    "distilbert": 0.2,
    "t5": 0.0,
    "bart": 0.0,
    "modernbert": 0.0,
    "bloom": 0.0,
}  # their defaults, which config.json leaves out


def sequence_classification(
    theirs: str,
    pool: str,
    scores: str,
    *,
    dropout: str = "classifier_dropout",
    activation: type[nn.Module] = nn.Tanh,
) -> Task:
    """`dropout` is what their config calls it."""

    def build(body: TextModel, config: Settings, classes: int) -> nn.Module:
        return SequenceClassifier(body, classes, head_dropout(config, dropout), activation)

    def differences(model: Any) -> Iterator[Difference]:
        yield from kinds("activation of the head", model.head.activation, (activation,))

    def describe(model: Any) -> Config:
        return {dropout: model.head.dropout.p}

    names = {"head.pool": pool, "head.scores": scores}
    return Task(theirs, SequenceClassifier, names, build, describe, differences=differences)


def last_token_classification(theirs: str) -> Task:
    def build(body: TextModel, config: Settings, classes: int) -> nn.Module:
        return LastTokenClassifier(body, classes)

    return Task(theirs, LastTokenClassifier, {"head": "score"}, build, kinds=("weight",))


def token_classification(
    theirs: str, *, scores: str = "classifier", dropout: str = "classifier_dropout", prefix: str | None = None
) -> Task:
    def build(body: TextModel, config: Settings, classes: int) -> nn.Module:
        return TokenClassifier(body, classes, head_dropout(config, dropout))

    def describe(model: Any) -> Config:
        return {dropout: model.dropout.p}

    return Task(theirs, TokenClassifier, {"head": scores}, build, describe, prefix=prefix)


def question_answering(theirs: str, *, prefix: str | None = None) -> Task:
    names = {"head": "qa_outputs"}
    return Task(theirs, SpanFinder, names, lambda body, config, n: SpanFinder(body), labelled=False, prefix=prefix)


def end_token_classification(theirs: str, start: int, end: int, prefix: str | None = None) -> Task:
    """`start` and `end` are the tokens of a config that does not say."""

    def build(body: EncoderDecoder, config: Settings, classes: int) -> nn.Module:
        tokens = config.token("decoder_start_token_id", start), config.token("eos_token_id", end)
        return EndTokenClassifier(body, classes, *tokens, head_dropout(config, "classifier_dropout"))

    def describe(model: Any) -> Config:
        dropout = model.head.dropout.p
        return {"classifier_dropout": dropout, "decoder_start_token_id": model.start, "eos_token_id": model.end}

    names = {"head.pool": "classification_head.dense", "head.scores": "classification_head.out_proj"}
    return Task(theirs, EndTokenClassifier, names, build, describe, prefix=prefix)


def reread_question_answering(theirs: str, start: int) -> Task:
    def build(body: EncoderDecoder, config: Settings, classes: int) -> nn.Module:
        return RereadSpanFinder(body, config.token("decoder_start_token_id", start))

    def describe(model: Any) -> Config:
        return {"decoder_start_token_id": model.start}

    return Task(theirs, RereadSpanFinder, {"head": "qa_outputs"}, build, describe, labelled=False)


def head_dropout(config: Settings, name: str) -> float:
    """Where theirs says nothing, it is that of the hidden states, or what their class has by default."""
    default = DROPOUT.get(config.values["model_type"], 0.1)
    return config.fraction(name, config.fraction("hidden_dropout_prob", default))
