"""Heads for tasks on pre-trained bodies."""

from functools import partial

import pytest
import torch
from systems import CAUSAL, READING_TWO, TEXT, VOCABULARY
from torch import nn

from variformer.models import (
    EndTokenClassifier,
    FirstTokenClassifier,
    LastTokenClassifier,
    RereadSpanFinder,
    SequenceClassifier,
    SpanFinder,
    TokenClassifier,
)

END, START = 1, 2
HEADS = {
    "sequence": (partial(SequenceClassifier, classes=3), [(2, 3)]),
    "first token": (partial(FirstTokenClassifier, classes=3), [(2, 3)]),
    "last token": (partial(LastTokenClassifier, classes=3), [(2, 3)]),
    "token": (partial(TokenClassifier, classes=3), [(2, 6, 3)]),
    "span": (SpanFinder, [(2, 6), (2, 6)]),
}
REREAD = {
    "end token": (partial(EndTokenClassifier, classes=3, start=START, end=END), [(2, 3)]),
    "span": (partial(RereadSpanFinder, start=START), [(2, 6), (2, 6)]),
}
FIRST = ("sequence", "first token")  # no head for GPT, whose first token has read nothing
CASES = [
    (family, *head) for family in TEXT for name, head in HEADS.items() if family not in CAUSAL or name not in FIRST
]
CASES += [(family, *head) for family in READING_TWO for head in REREAD.values()]


def scores(model, *inputs):
    found = model(*inputs)
    return [found] if isinstance(found, torch.Tensor) else list(found)


@pytest.mark.parametrize(("family", "head", "shapes"), CASES)
def test_every_head_reads_every_body_and_trains_all_of_it(tiny, family, head, shapes):
    model = head(tiny(family)).eval()
    tokens = torch.randint(3, VOCABULARY, (2, 6))
    tokens[:, -1] = END
    found = scores(model, tokens)
    assert [tuple(each.shape) for each in found] == shapes
    sum(each.square().sum() for each in found).backward()
    assert all(parameter.grad is not None for parameter in model.parameters())


@pytest.mark.parametrize("family", TEXT)
def test_padding_on_the_right_changes_nothing(tiny, family):
    body = tiny(family)
    models = [TokenClassifier(body, 3), LastTokenClassifier(body, 3)]
    tokens = torch.randint(VOCABULARY, (1, 4))
    padded, mask = torch.cat([tokens, torch.full((1, 2), 0)], 1), torch.tensor([[True] * 4 + [False] * 2])
    for model in models:
        model.eval()
    torch.testing.assert_close(models[0](padded, mask)[:, :4], models[0](tokens))
    torch.testing.assert_close(models[1](padded, mask), models[1](tokens))


def test_the_own_heads_come_off_and_the_pooler_stays(tiny):
    body = tiny("bert")
    pool = body.pair_head.pool
    model = SequenceClassifier(body, 3)
    assert model.head.pool is pool
    assert {name.split(".")[0] for name, _ in model.body.named_parameters()} == {"encoder"}
    assert not SequenceClassifier(tiny("roberta"), 3).head.pool.bias.any()


def test_what_the_states_do_not_need_comes_off(tiny):
    encoder_alone = TokenClassifier(tiny("bart"), 3)
    assert {name.split(".")[0] for name in encoder_alone.body.state_dict()} == {"encoder"}
    both = RereadSpanFinder(tiny("bart"), start=START)
    assert {name.split(".")[0] for name in both.body.state_dict()} == {"encoder", "decoder"}


@pytest.mark.parametrize("side", ["left", "right"])
def test_the_last_real_token_is_read(tiny, side):
    model = LastTokenClassifier(tiny("gpt"), 3).eval()
    tokens, mask = torch.randint(VOCABULARY, (2, 5)), torch.ones(2, 5, dtype=torch.bool)
    mask[1, :2] = side == "right"
    mask[1, 3:] = side == "left"
    states = model.body.states(tokens, mask)
    expected = torch.stack([states[0, 4], states[1, 4 if side == "left" else 2]])
    torch.testing.assert_close(model(tokens, mask), model.head(expected))


def test_the_decoder_reads_a_start_token_and_then_the_text(tiny):
    model = EndTokenClassifier(tiny("t5"), 3, start=START, end=END).eval()
    tokens = torch.tensor([[5, END, 7, END, 9], [5, 6, 7, 8, END]])
    again = torch.tensor([[START, 5, END, 7, END], [START, 5, 6, 7, 8]])
    states = model.body.decoder(again, memory=model.body.encode(tokens))
    torch.testing.assert_close(model(tokens), model.head(states[[0, 1], [3, 4]]))


def test_the_activation_of_the_hidden_layer_is_a_part(tiny):
    model = SequenceClassifier(tiny("distilbert"), 3, activation=nn.ReLU).eval()
    tokens = torch.randint(VOCABULARY, (2, 6))
    first = model.body.states(tokens)[:, 0]
    torch.testing.assert_close(model(tokens), model.head.scores(model.head.pool(first).relu()))


@pytest.mark.parametrize("family", CAUSAL)
@pytest.mark.parametrize("head", [SequenceClassifier, FirstTokenClassifier])
def test_a_first_token_that_has_read_nothing_is_refused(tiny, family, head):
    with pytest.raises(ValueError, match=r"first token has read nothing; set head=last_token"):
        head(tiny(family), 3)


@pytest.mark.parametrize("family", [each for each in TEXT if each not in READING_TWO])
def test_a_body_that_cannot_reread_is_refused(tiny, family):
    with pytest.raises(ValueError, match=r"rereads the text in a decoder .* set head=first_token"):
        EndTokenClassifier(tiny(family), 3, start=START, end=END)
    with pytest.raises(ValueError, match=r"set head=span"):
        RereadSpanFinder(tiny(family), start=START)


def test_a_body_of_images_is_refused(tiny):
    with pytest.raises(ValueError, match=r"TokenClassifier reads the states of tokens, and ViT has none"):
        TokenClassifier(tiny("vit"), 3)


@pytest.mark.parametrize("head", [head for head, _ in HEADS.values()])
def test_a_head_names_the_layer_with_a_row_for_each_class(tiny, head):
    model = head(tiny("t5"))
    assert (model.scores is None) == isinstance(model, SpanFinder)
    assert model.scores is None or model.get_submodule(model.scores).out_features == 3
