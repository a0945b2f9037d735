"""The config.json that describes a model of ours to transformers."""

import json
import re
from functools import partial

import pytest
import transformers as hf
from torch import nn

from variformer.layers import Attention, CountedPositions, GatedFeedForward, RelativePositions
from variformer.models import (
    GPT,
    T5,
    Bart,
    Bert,
    DistilBert,
    EndTokenClassifier,
    Roberta,
    SequenceClassifier,
    TokenClassifier,
)
from variformer.weights.files import write_tensors
from variformer.weights.huggingface import config_of, to_huggingface

SMALL = dict(vocab_size=31, width=8, depth=1, heads=2, hidden=12, max_length=9)


@pytest.mark.parametrize("auto", ["AutoModelForSequenceClassification", "AutoModel"])
def test_their_automatic_classes_read_ours(auto, tmp_path):
    body = Roberta(vocab_size=31, width=8, depth=1, heads=2, hidden=12, max_length=9)
    model = SequenceClassifier(body, 3)
    labels = ["no", "maybe", "yes"]
    (tmp_path / "config.json").write_text(json.dumps(config_of(model, labels=labels, bos_token_id=0)))
    write_tensors(to_huggingface(model), tmp_path)
    theirs = getattr(hf, auto).from_pretrained(tmp_path)
    assert theirs.config.id2label == dict(enumerate(labels))
    assert theirs.config.label2id == {"no": 0, "maybe": 1, "yes": 2}
    assert theirs.config.pad_token_id == 1 and theirs.config.bos_token_id == 0


@pytest.mark.parametrize(
    ("model", "tokens", "message"),
    [
        (lambda: Roberta(**SMALL), dict(pad_token_id=3), "pad_token_id=3 was given, but the model was made for 1"),
        (
            lambda: EndTokenClassifier(Bart(**SMALL), 3, start=2, end=2),
            dict(eos_token_id=1),
            "eos_token_id=1 was given, but the model was made for 2",
        ),
        (
            lambda: Bert(**SMALL, attention=partial(Attention, window=2)),
            {},
            "attention: window=2; BertForPreTraining has no window",
        ),
        (
            lambda: Bert(**SMALL, norm=nn.LayerNorm, positions=CountedPositions),
            {},
            "positions: CountedPositions; BertForPreTraining has LearnedPositions",
        ),
        (lambda: DistilBert(**SMALL, norm=nn.LayerNorm), {}, "norm: eps=1e-05; DistilBertForMaskedLM has eps=1e-12"),
        (
            lambda: Roberta(**SMALL, activation="relu"),
            {},
            "activation of the token head: relu; RobertaForMaskedLM has gelu",
        ),
        (
            lambda: SequenceClassifier(DistilBert(**SMALL), 3),
            {},
            "activation of the head: Tanh; DistilBertForSequenceClassification has ReLU",
        ),
        (lambda: TokenClassifier(Bart(**SMALL), 3), {}, "has no class for TokenClassifier on Bart, only for End"),
        (
            lambda: T5(**SMALL, head_width=4, feed_forward=GatedFeedForward, activation="gelu"),
            {},
            "activation of the gate: gelu; T5ForConditionalGeneration has gelu_new, which it calls gated-gelu",
        ),
        (lambda: GPT(**SMALL, positions=RelativePositions), {}, "positions: RelativePositions; GPT"),
    ],
)
def test_what_has_no_place_in_their_config_is_refused(model, tokens, message):
    with pytest.raises(ValueError, match=re.escape(message)):
        config_of(model(), **tokens)


def test_labels_are_as_many_as_classes():
    with pytest.raises(ValueError, match="2 labels were given for 3 classes"):
        config_of(TokenClassifier(Bert(**SMALL), 3), labels=["a", "b"])


def test_subclasses_are_written_as_their_nearest_family():
    class Mine(Roberta):
        pass

    assert config_of(Mine(**SMALL))["model_type"] == "roberta"
    assert config_of(DistilBert(**SMALL))["model_type"] == "distilbert"
    assert config_of(Bert(**SMALL))["model_type"] == "bert"
