import re

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from timm.layers import resample_abs_pos_embed
from torch import nn

from variformer.layers import LearnedPositions
from variformer.models import GPT, T5, Bart, Bert, DeiT, DistilBert, Roberta, SequenceClassifier, TokenClassifier, ViT
from variformer.weights.transfer import initialise_from, offset_of, resize_grid, resize_line, resize_patches

TEXT = dict(vocab_size=31, width=8, depth=2, heads=2, hidden=12, max_length=9)
IMAGE = dict(image_size=12, patch_size=3, channels=1, classes=5, width=8, depth=2, heads=2, hidden=12)


def random(model: nn.Module) -> nn.Module:
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.normal_()
    return model.eval()


def equal(ours, theirs) -> bool:
    return ours.keys() == theirs.keys() and all(torch.equal(ours[name], theirs[name]) for name in theirs)


@pytest.mark.parametrize("kind", [Bert, GPT, T5, Bart, Roberta, DistilBert], ids=lambda kind: kind.__name__)
def test_the_same_model_takes_over_everything(kind):
    source, model = random(kind(**TEXT)), kind(**TEXT)
    report = initialise_from(model, source.state_dict())
    assert equal(model.state_dict(), source.state_dict())
    assert sorted(report.copied) == sorted(model.state_dict())
    assert not (report.resized or report.new or report.left_behind)


sizes = st.integers(min_value=1, max_value=9)


@given(old=sizes, new=sizes, kept=st.integers(0, 3), value=st.floats(-3, 3, width=32))
def test_a_line_of_constants_stays_constant(old, new, kept, value):
    table = torch.cat([torch.randn(kept, 4), torch.full((old, 4), value)])
    resized = resize_line(table, kept + new, kept)
    assert torch.equal(resized[:kept], table[:kept])
    torch.testing.assert_close(resized[kept:], torch.full((new, 4), value))


@given(old=sizes, new=sizes, kept=st.integers(0, 2), value=st.floats(-3, 3, width=32))
def test_a_grid_of_constants_stays_constant(old, new, kept, value):
    table = torch.cat([torch.randn(kept, 4), torch.full((old**2, 4), value)])
    resized = resize_grid(table, kept + new**2, kept)
    assert torch.equal(resized[:kept], table[:kept])
    torch.testing.assert_close(resized[kept:], torch.full((new**2, 4), value))


@given(old=sizes, new=sizes, value=st.floats(-3, 3, width=32))
def test_constant_patches_stay_constant(old, new, value):
    resized = resize_patches(torch.full((2, 3, old, old), value), new)
    torch.testing.assert_close(resized, torch.full((2, 3, new, new), value))


@given(size=sizes)
def test_the_same_size_is_the_same_tensor(size):
    table, kernels = torch.randn(size**2 + 1, 4), torch.randn(2, 3, size, size)
    assert torch.equal(resize_line(table, len(table)), table)
    assert torch.equal(resize_grid(table, len(table)), table)
    assert torch.equal(resize_patches(kernels, size), kernels)


def test_a_line_is_interpolated_between_its_ends():
    table = torch.tensor([[9.0], [0.0], [1.0], [2.0]])
    expected = torch.tensor([[9.0], [0.0], [0.5], [1.0], [1.5], [2.0]])
    torch.testing.assert_close(resize_line(table, 6, kept=1), expected)


@given(old=sizes, new=sizes, kept=st.integers(0, 3))
def test_a_shorter_line_is_its_beginning(old, new, kept):
    table = torch.randn(kept + max(old, new), 4)
    assert torch.equal(resize_line(table, kept + min(old, new), kept), table[: kept + min(old, new)])


@pytest.mark.parametrize(("old", "new"), [(4, 7), (7, 4), (3, 3)])
def test_a_grid_is_interpolated_as_in_timm(old, new):
    table = torch.randn(1 + old**2, 6)
    expected = resample_abs_pos_embed(table[None], [new, new], num_prefix_tokens=1)[0]
    torch.testing.assert_close(resize_grid(table, 1 + new**2), expected)


def test_longer_texts_and_what_comes_before_their_positions():
    source, model = random(Roberta(**TEXT)), Roberta(**(TEXT | {"max_length": 17}))
    report = initialise_from(model, source.state_dict())
    table, old = model.encoder.positions.table.weight, source.encoder.positions.table.weight
    assert torch.equal(table[:2], old[:2])
    torch.testing.assert_close(table[2::2], old[2:])
    assert report.resized == ["encoder.positions.table.weight (11, 8) -> (19, 8)"]


def test_shorter_texts_keep_their_first_positions():
    source, model = random(Roberta(**TEXT)), Roberta(**(TEXT | {"max_length": 5}))
    report = initialise_from(model, source.state_dict(), offset_of(source))
    assert torch.equal(model.encoder.positions.table.weight, source.encoder.positions.table.weight[:7])
    line = "encoder.positions.table.weight (11, 8) -> (7, 8)"
    assert report.shortened == [line] and not report.resized and line in report.lines()[1]
    tokens = torch.randint(31, (2, 5))
    assert torch.equal(model.eval()(tokens).tokens, source(tokens).tokens)


def test_smaller_images_are_interpolated():
    source, model = random(ViT(**IMAGE)), ViT(**(IMAGE | {"image_size": 9}))
    report = initialise_from(model, source.state_dict(), offset_of(source))
    assert report.resized == ["encoder.positions.table.weight (17, 8) -> (10, 8)"] and not report.shortened


def test_positions_that_begin_elsewhere_are_refused():
    """Their tables may even have the same shape."""
    source, model = random(Bart(**TEXT)), Bart(**(TEXT | {"max_length": 11}), positions=LearnedPositions)
    assert source.state_dict().keys() == model.state_dict().keys() and (offset_of(source), offset_of(model)) == (2, 0)
    with pytest.raises(ValueError, match=r"begin at row 2 of their table, the model's at row 0 .*offset 2"):
        initialise_from(model, source.state_dict(), offset_of(source))
    assert offset_of(T5(**TEXT)) is None


def test_other_images_patches_and_classes():
    source, model = random(ViT(**IMAGE)), ViT(**(IMAGE | {"image_size": 20, "patch_size": 4, "classes": 3}))
    report = initialise_from(model, source.state_dict())
    assert report.resized == [
        "encoder.positions.table.weight (17, 8) -> (26, 8)",
        "encoder.embedding.patches.weight (8, 1, 3, 3) -> (8, 1, 4, 4)",
    ]
    assert report.new == ["head.weight", "head.bias"] and not model.head.weight.any()
    assert torch.equal(model.encoder.blocks[1].self_norm.weight, source.encoder.blocks[1].self_norm.weight)
    assert "new, with initial values: head.weight, head.bias" in report.lines()


def test_the_teachers_head_is_new():
    source, model = random(DeiT(**IMAGE)), random(DeiT(**IMAGE))
    before = model.teacher_head.weight.clone()
    tensors = {name: tensor for name, tensor in source.state_dict().items() if "teacher" not in name}
    assert initialise_from(model, tensors).new == ["teacher_head.weight", "teacher_head.bias"]
    assert torch.equal(model.teacher_head.weight, before)


def test_a_head_for_a_task_replaces_the_pretrained_heads():
    source, model = random(Bert(**TEXT)), SequenceClassifier(Bert(**TEXT), classes=3)
    report = initialise_from(model, source.state_dict())
    assert report.new == ["head.scores.weight", "head.scores.bias"]
    assert {name.split(".")[1] for name in report.left_behind} == {"token_head", "pair_head"}
    assert torch.equal(model.head.pool.weight, source.pair_head.pool.weight)
    tokens = torch.randint(31, (2, 7))
    assert torch.equal(model.eval().states(tokens), source.states(tokens))


def test_a_body_comes_out_from_under_its_head():
    source, model = random(SequenceClassifier(Bert(**TEXT), classes=3)), Bert(**TEXT)
    report = initialise_from(model, source.state_dict())
    assert {name.split(".")[0] for name in report.new} == {"token_head", "pair_head"} - set()
    assert all(name.startswith("tuned.head.") for name in report.left_behind)
    tokens = torch.randint(31, (2, 7))
    assert torch.equal(model.eval().states(tokens), source.states(tokens))


def test_a_classifier_of_tokens_needs_no_decoder():
    source = random(Bart(**TEXT))
    report = initialise_from(TokenClassifier(Bart(**TEXT), classes=3), source.state_dict())
    assert any(name.startswith("body.decoder.blocks.1.") for name in report.left_behind)


def test_all_that_does_not_fit_is_named_and_nothing_is_copied():
    source, model = random(Bert(**TEXT)), random(Bert(**(TEXT | {"depth": 1, "hidden": 10})))
    tensors, before = source.state_dict(), {name: t.clone() for name, t in model.state_dict().items()}
    del tensors["encoder.blocks.0.self_norm.bias"]
    with pytest.raises(ValueError) as caught:
        initialise_from(model, tensors)
    lines = str(caught.value).splitlines()
    assert "  missing: encoder.blocks.0.self_norm.bias, which the model has" in lines
    assert "  left over: encoder.blocks.1.self_norm.bias, which the model does not have" in lines
    narrow = "encoder.blocks.0.feed_forward.narrow.weight is (8, 12), the model asks for (8, 10)"
    assert f"  of the wrong shape: {narrow}" in lines
    assert equal(model.state_dict(), before)


def test_another_vocabulary_names_the_tokenizer():
    model = GPT(**(TEXT | {"vocab_size": 40}))
    with pytest.raises(ValueError, match=r"model\.vocab_size=31.*tokenizer=pretrained"):
        initialise_from(model, GPT(**TEXT).state_dict())


def test_a_tied_model_refuses_two_different_tensors():
    source, model = random(T5(**TEXT, tied_head=False)), T5(**TEXT)
    with pytest.raises(ValueError, match=re.escape("not tied: head.scores.weight differs from encoder.embedding")):
        initialise_from(model, source.state_dict())


def test_a_sentence_cannot_start_as_an_image():
    with pytest.raises(ValueError, match=r"missing: encoder.embedding.tokens.weight"):
        initialise_from(Bert(**TEXT), ViT(**IMAGE).state_dict())


def test_the_precision_is_the_models():
    source, model = random(GPT(**TEXT)), GPT(**TEXT)
    initialise_from(model, {name: tensor.bfloat16() for name, tensor in source.state_dict().items()})
    assert model.head.scores.weight.dtype == torch.float32
    assert torch.equal(model.head.scores.weight, source.head.scores.weight.bfloat16().float())
