"""ELECTRA's discriminator with its own head, and without; the generator is among the encoders."""

import pytest
import torch
import torch.nn.functional as F
import transformers as hf

from variformer.models import Bert, Electra
from variformer.weights.huggingface import config_of, load, to_huggingface

VOCABULARY = 53
SIZES = dict(
    vocab_size=VOCABULARY,
    hidden_size=15,
    num_hidden_layers=3,
    num_attention_heads=3,
    intermediate_size=21,
    max_position_embeddings=35,
)
CONFIGS = {
    "narrow embeddings": dict(embedding_size=7),
    "one width": dict(embedding_size=15, hidden_act="relu", layer_norm_eps=1e-3),
}


@pytest.fixture(params=CONFIGS)
def pair(twins, request):
    return twins(hf.ElectraForPreTraining(hf.ElectraConfig(**SIZES, **CONFIGS[request.param])))


def batch_of(padded, rows: int, length: int, side: str = "right"):
    data = padded(rows, length, pad=0, vocabulary=VOCABULARY, side=side)
    return data, dict(input_ids=data.tokens, attention_mask=data.mask.long(), token_type_ids=data.segments)


@pytest.mark.parametrize("side", ["right", "left"])
def test_scores(pair, padded, close, side):
    assert type(pair.ours) is Electra and pair.ours.generator is None
    for rows, length in (1, 1), (3, 7), (2, 33):
        data, inputs = batch_of(padded, rows, length, side)
        assert close(pair.ours(*data).replaced[data.mask], pair.theirs(**inputs).logits[data.mask])


def test_a_step(pair, padded, same_step):
    """Of every real token's binary cross-entropy, as the objective has it."""
    data, inputs = batch_of(padded, 3, 9)
    labels = torch.randint(2, data.tokens.shape)
    ours = F.binary_cross_entropy_with_logits(pair.ours(*data).replaced[data.mask], labels[data.mask].float())
    same_step(pair, ours, pair.theirs(**inputs, labels=labels).loss)


def test_states_of_a_model_without_heads(twins, padded, close):
    made = twins(hf.ElectraModel(hf.ElectraConfig(**SIZES, embedding_size=7)))
    data, inputs = batch_of(padded, 3, 7)
    ours = made.ours.states(data.tokens, data.mask, data.segments)
    assert close(ours[data.mask], made.theirs(**inputs).last_hidden_state[data.mask])


def test_a_trained_discriminator_goes_without_its_generator(padded, close, tmp_path):
    ours = Electra(
        vocab_size=VOCABULARY, embedding_width=6, width=16, depth=2, heads=4, hidden=24, generator_divisor=4
    ).eval()
    tensors, config = to_huggingface(ours), config_of(ours, pad_token_id=0)
    assert config["architectures"] == ["ElectraForPreTraining"]
    theirs = hf.ElectraForPreTraining(hf.ElectraConfig(**config)).eval()
    missing, unexpected = theirs.load_state_dict(tensors, strict=False)
    assert unexpected == [] and all("position_ids" in name for name in missing)
    data, inputs = batch_of(padded, 2, 9)
    assert close(ours(*data).replaced[data.mask], theirs(**inputs).logits[data.mask])


def test_a_trained_generator_is_a_masked_language_model(padded, close):
    model = Electra(
        vocab_size=VOCABULARY, embedding_width=6, width=16, depth=2, heads=4, hidden=24, generator_divisor=2
    )
    ours = model.generator.eval()
    config = config_of(ours, pad_token_id=0)
    assert type(ours) is Bert and config["architectures"] == ["ElectraForMaskedLM"]
    theirs = hf.ElectraForMaskedLM(hf.ElectraConfig(**config)).eval()
    assert theirs.load_state_dict(to_huggingface(ours), strict=False).unexpected_keys == []
    theirs.tie_weights()
    data, inputs = batch_of(padded, 2, 9)
    assert close(ours(*data).tokens[data.mask], theirs(**inputs).logits[data.mask])


def test_a_generator_of_one_width_is_a_bert(twins, padded, close):
    made = twins(hf.ElectraForMaskedLM(hf.ElectraConfig(**SIZES, embedding_size=15)))
    data, inputs = batch_of(padded, 3, 7)
    assert close(made.ours(*data).tokens[data.mask], made.theirs(**inputs).logits[data.mask])
    assert config_of(made.ours)["architectures"] == ["BertForMaskedLM"]
    assert config_of(made.ours, model_type="electra")["architectures"] == ["ElectraForMaskedLM"]


def test_their_generators_head_has_gelu_for_every_config(tmp_path):
    hf.ElectraForMaskedLM(hf.ElectraConfig(**SIZES, embedding_size=7, hidden_act="relu")).save_pretrained(tmp_path)
    with pytest.raises(ValueError, match=r"hidden_act='relu' is not supported, only 'gelu'"):
        load(tmp_path)
