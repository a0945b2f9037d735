"""What ONNX Runtime computes from a file is what the model computes, at any size."""

import logging
from functools import partial

import onnxruntime
import pytest
import torch
from torch import nn

from variformer import layers, models
from variformer.weights import onnx

TEXT = {"vocab_size": 60, "width": 16, "depth": 2, "heads": 2, "hidden": 32, "max_length": 40}
IMAGES = {"image_size": 8, "patch_size": 4, "classes": 5, "width": 16, "depth": 2, "heads": 2, "hidden": 32}
MODELS = {
    "gpt": partial(models.GPT, **TEXT),
    "gpt_llama": partial(
        models.GPT,
        **TEXT,
        positions=layers.RotaryPositions,
        norm=nn.RMSNorm,
        feed_forward=layers.GatedFeedForward,
        attention=partial(layers.Attention, key_value_heads=1, window=9, query_key_norm=nn.RMSNorm),
    ),
    "gpt_linear_bias": partial(models.GPT, **TEXT, positions=layers.LinearBiasPositions),
    "bert": partial(models.Bert, **TEXT),
    "roberta": partial(models.Roberta, **TEXT),
    "albert": partial(models.Albert, **TEXT, embedding_width=8),
    "t5": partial(models.T5, **TEXT, head_width=8),
    "bart": partial(models.Bart, **TEXT),
    "vit": partial(models.ViT, **IMAGES),
    "deit": partial(models.DeiT, **IMAGES),
    "classifier": lambda: models.SequenceClassifier(models.Bert(**TEXT), 3),
    "spans": lambda: models.RereadSpanFinder(models.Bart(**TEXT), 0),
}

QUICK = ("bert",)  # each of the others takes seconds, too


@pytest.fixture(scope="module", autouse=True)
def quiet():
    """Tracing notes each of its steps, which pytest would keep."""
    logging.disable(logging.DEBUG)
    yield
    logging.disable(logging.NOTSET)


def trained_like(model: nn.Module) -> nn.Module:
    torch.manual_seed(0)
    for parameter in model.parameters():
        nn.init.normal_(parameter, std=0.3)
    return model.eval()


@pytest.mark.parametrize(
    "name", [pytest.param(each, marks=[] if each in QUICK else pytest.mark.slow) for each in MODELS]
)
@torch.no_grad()
def test_onnx_runtime_gives_the_scores_at_other_sizes(name, tmp_path):
    model = trained_like(MODELS[name]())
    assert onnx.write_onnx(model, tmp_path / "model.onnx") <= onnx.TOLERANCE
    session = onnxruntime.InferenceSession(tmp_path / "model.onnx")
    inputs = given(model, batch=3, length=29)
    found = session.run(None, {each.name: inputs[each.name].numpy() for each in session.get_inputs()})
    if name == "bert":
        assert [each.name for each in session.get_inputs()] == ["tokens", "mask", "segments"]
        assert [each.name for each in session.get_outputs()] == ["scores_of_tokens", "pair", "states"]
    for ours, theirs in zip(onnx.answers(model(**inputs)).values(), map(torch.from_numpy, found), strict=True):
        assert ours.shape == theirs.shape
        assert (ours - theirs).abs().max() <= 1e-4 * ours.abs().max()


def given(model, batch: int, length: int) -> dict[str, torch.Tensor]:
    """Every token is real, so that every score counts."""
    generator = torch.Generator().manual_seed(1)
    inputs = {}
    for name in onnx.arguments(model):
        if name == "images":
            inputs[name] = torch.randn(batch, 3, 8, 8, generator=generator)
        elif "mask" in name:
            inputs[name] = torch.ones(batch, length, dtype=torch.bool)
        else:
            inputs[name] = torch.randint(1 if name == "segments" else 60, (batch, length), generator=generator)
    return inputs


@pytest.mark.parametrize("distance", [1e-3, float("nan")])
def test_other_scores_leave_no_file(distance, tmp_path, monkeypatch):
    class Program:
        def save(self, file):
            file.write_bytes(b"")

    monkeypatch.setattr(onnx, "traced", lambda *_: Program())
    monkeypatch.setattr(onnx, "distances", lambda *_: iter([0.0, distance, 0.0]))
    with pytest.raises(ValueError, match=r"differ from the model's by (1\.0e-03|nan) of the largest"):
        onnx.write_onnx(MODELS["vit"](), tmp_path / "model.onnx")
    assert not list(tmp_path.iterdir())


def test_an_unknown_argument_is_named(tmp_path):
    class Odd(nn.Module):
        def forward(self, waves):
            return waves

    with pytest.raises(ValueError, match=r"Odd\.forward takes waves"):
        onnx.write_onnx(Odd(), tmp_path / "model.onnx")
