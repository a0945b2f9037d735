import pytest
import torch
from transformers import BertConfig, BertForMaskedLM, BertForPreTraining

SIZES = dict(
    vocab_size=101,
    hidden_size=24,
    num_hidden_layers=3,
    num_attention_heads=3,
    intermediate_size=40,
    max_position_embeddings=33,
)


def padded(rows: int, length: int):
    tokens = torch.randint(101, (rows, length))
    lengths = torch.arange(length, length - rows, -1)
    mask = torch.arange(length) < lengths[:, None]
    return tokens, mask, torch.randint(2, (rows, length))


@pytest.mark.parametrize(("activation", "eps"), [("gelu", 1e-12), ("gelu_new", 1e-3), ("relu", 1e-5)])
def test_scores_with_padding_and_segments(twins, close, activation, eps):
    config = BertConfig(**SIZES, hidden_act=activation, layer_norm_eps=eps)
    theirs, ours, _ = twins(BertForPreTraining(config))
    for rows, length in (1, 1), (3, 7), (2, 33):
        tokens, mask, segments = padded(rows, length)
        expected = theirs(tokens, attention_mask=mask.long(), token_type_ids=segments)
        predicted = ours(tokens, mask, segments)
        assert close(predicted.tokens[mask], expected.prediction_logits[mask])
        assert close(predicted.pair, expected.seq_relationship_logits)


def test_defaults_are_no_padding_and_the_first_segment(twins, close):
    theirs, ours, _ = twins(BertForPreTraining(BertConfig(**SIZES)))
    tokens = torch.randint(101, (2, 5))
    assert close(ours(tokens).tokens, theirs(tokens).prediction_logits)


def test_predicted_positions_are_those_of_all_scores(twins, close):
    _, ours, _ = twins(BertForPreTraining(BertConfig(**SIZES)))
    tokens, mask, segments = padded(3, 7)
    predict = torch.tensor([0, 13, 5, 20])
    everything, some = ours(tokens, mask, segments), ours(tokens, mask, segments, predict=predict)
    assert some.tokens.shape == (4, 101)
    assert close(some.tokens, everything.tokens.flatten(0, 1)[predict])
    assert torch.equal(some.pair, everything.pair)


def test_without_the_judge_of_pairs(twins, close):
    theirs, ours, _ = twins(BertForMaskedLM(BertConfig(**SIZES)))
    tokens = torch.randint(101, (2, 9))
    assert ours.pair_head is None and ours(tokens).pair is None
    assert close(ours(tokens).tokens, theirs(tokens).logits)
