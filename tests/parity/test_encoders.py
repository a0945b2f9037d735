"""BERT and its descendants, ELECTRA's generator among them, with the heads of their pre-training."""

import pytest
import torch
import torch.nn.functional as F
import transformers as hf

from variformer.weights.huggingface import load

VOCABULARY = 53
NOTHING = r"(?!)"  # keys turn: the gradient of their bias is one
SIZES = dict(
    vocab_size=VOCABULARY,
    hidden_size=15,
    num_hidden_layers=3,
    num_attention_heads=3,
    intermediate_size=22,
    max_position_embeddings=35,
)
DISTILBERT = dict(
    vocab_size=VOCABULARY, dim=15, n_layers=3, n_heads=5, hidden_dim=22, max_position_embeddings=33, pad_token_id=0
)
ALBERT = SIZES | dict(embedding_size=7, num_attention_heads=5, max_position_embeddings=33)
ROBERTA = SIZES | dict(type_vocab_size=1, pad_token_id=1)
ROFORMER = SIZES | dict(hidden_size=24, num_attention_heads=3)
# Lengths up to 33 are beyond a window of 4 positions on each side.
MODERN = SIZES | dict(hidden_size=18, num_hidden_layers=4, num_attention_heads=3, local_attention=8)
MODERN |= dict(pad_token_id=0, bos_token_id=1, eos_token_id=2, cls_token_id=1, sep_token_id=2)
LAYERS = ["full_attention", "sliding_attention"] * 2
BASES = {"full_attention": 300.0, "sliding_attention": 20.0}
BASES = {kind: {"rope_type": "default", "rope_theta": base} for kind, base in BASES.items()}
MODELS = {
    "bert": lambda: hf.BertForPreTraining(hf.BertConfig(**SIZES)),
    "bert, relu": lambda: hf.BertForPreTraining(hf.BertConfig(**SIZES, hidden_act="relu", layer_norm_eps=1e-3)),
    "bert without pairs": lambda: hf.BertForMaskedLM(hf.BertConfig(**SIZES, hidden_act="gelu_new")),
    "roberta": lambda: hf.RobertaForMaskedLM(hf.RobertaConfig(**ROBERTA, layer_norm_eps=1e-5)),
    "roberta, another padding": lambda: hf.RobertaForMaskedLM(hf.RobertaConfig(**ROBERTA | dict(pad_token_id=0))),
    "distilbert": lambda: hf.DistilBertForMaskedLM(hf.DistilBertConfig(**DISTILBERT)),
    "distilbert, relu": lambda: hf.DistilBertForMaskedLM(hf.DistilBertConfig(**DISTILBERT, activation="relu")),
    "albert": lambda: hf.AlbertForPreTraining(hf.AlbertConfig(**ALBERT)),
    "albert, two groups": lambda: hf.AlbertForPreTraining(hf.AlbertConfig(**ALBERT, num_hidden_groups=2)),
    "albert without pairs": lambda: hf.AlbertForMaskedLM(hf.AlbertConfig(**ALBERT, hidden_act="relu")),
    "roformer": lambda: hf.RoFormerForMaskedLM(hf.RoFormerConfig(**ROFORMER)),
    "roformer, relu": lambda: hf.RoFormerForMaskedLM(
        hf.RoFormerConfig(**ROFORMER, hidden_act="relu", layer_norm_eps=1e-3, type_vocab_size=1)
    ),
    "electra's generator": lambda: hf.ElectraForMaskedLM(hf.ElectraConfig(**SIZES, embedding_size=7)),
    "electra's generator, another eps": lambda: hf.ElectraForMaskedLM(
        hf.ElectraConfig(**SIZES, embedding_size=21, layer_norm_eps=1e-3)
    ),
    "modernbert": lambda: hf.ModernBertForMaskedLM(hf.ModernBertConfig(**MODERN)),
    "modernbert, other bases": lambda: hf.ModernBertForMaskedLM(
        hf.ModernBertConfig(**MODERN, layer_types=LAYERS, rope_parameters=BASES, norm_eps=1e-3)
    ),
    "modernbert, silu": lambda: hf.ModernBertForMaskedLM(
        hf.ModernBertConfig(**MODERN | dict(local_attention=2), hidden_activation="silu", classifier_activation="silu")
    ),
}


@pytest.fixture
def pair(twins, padded):
    """A model's name and a batch's shape -> twins, the batch, and what theirs takes."""

    def make(name: str):
        made = twins(MODELS[name]())
        segmented = getattr(made.theirs.config, "type_vocab_size", 0) == 2

        def batch(rows: int, length: int, side: str):
            data = padded(rows, length, pad=made.theirs.config.pad_token_id, vocabulary=VOCABULARY, side=side)
            inputs = dict(input_ids=data.tokens, attention_mask=data.mask.long())
            if segmented:
                return data, inputs | dict(token_type_ids=data.segments)
            return data._replace(segments=None), inputs

        return made, batch

    return make


def outputs(theirs, inputs):
    found = theirs(**inputs)
    tokens = found.logits if "logits" in found else found.prediction_logits
    return tokens, found.get("seq_relationship_logits", found.get("sop_logits"))


@pytest.mark.parametrize("side", ["right", "left"])
@pytest.mark.parametrize("name", MODELS)
def test_scores(pair, close, name, side):
    made, batch = pair(name)
    for rows, length in (1, 1), (3, 7), (2, 33):
        data, inputs = batch(rows, length, side)
        predicted, (tokens, pairs) = made.ours(*data), outputs(made.theirs, inputs)
        assert close(predicted.tokens[data.mask], tokens[data.mask])
        assert pairs is None or close(predicted.pair, pairs)
        assert (predicted.pair is None) == (pairs is None)


@pytest.mark.parametrize("name", MODELS)
def test_a_step(pair, same_step, name):
    made, batch = pair(name)
    data, inputs = batch(3, 9, "right")
    targets = torch.randint(VOCABULARY, data.tokens.shape).masked_fill(~data.mask, -100)
    pair_labels = torch.tensor([0, 1, 1])
    predicted = made.ours(*data)
    ours = F.cross_entropy(predicted.tokens.flatten(0, 1), targets.flatten())
    labels = dict(labels=targets)
    if predicted.pair is not None:
        ours = ours + F.cross_entropy(predicted.pair, pair_labels)
        labels["sentence_order_label" if "albert" in name else "next_sentence_label"] = pair_labels
    turned = dict(zero=NOTHING) if name.startswith("roformer") else {}
    same_step(made, ours, made.theirs(**inputs, **labels).loss, **turned)


def test_positions_that_are_asked_for_are_those_of_all_scores(pair, close):
    for name in "roberta", "albert":
        made, batch = pair(name)
        data, _ = batch(3, 7, "left")
        predict = torch.tensor([0, 13, 5, 20])
        everything, some = made.ours(*data), made.ours(*data, predict=predict)
        assert close(some.tokens, everything.tokens.flatten(0, 1)[predict])


def test_their_roberta_has_gelu_in_its_head_whatever_the_config(tmp_path):
    hf.RobertaForMaskedLM(hf.RobertaConfig(**ROBERTA, hidden_act="relu")).save_pretrained(tmp_path)
    with pytest.raises(ValueError, match=r"hidden_act='relu' is not supported, only 'gelu'"):
        load(tmp_path)
