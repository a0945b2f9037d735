"""The published numbers of parameters, with the sizes that the YAML gives; on the meta device, without memory."""

from pathlib import Path

import pytest
import torch
import yaml
from torch import nn

from variformer.layers import GatedFeedForward
from variformer.models import GPT, T5, Bert, ViT

SIZES = Path(__file__).parents[2] / "conf" / "model" / "size"
VERSION_1_1 = dict(tied_head=False, feed_forward=GatedFeedForward, activation="gelu_tanh")


def count(model: type[nn.Module], size: str, **changes) -> int:
    numbers = yaml.safe_load((SIZES / f"{size}.yaml").read_text(encoding="utf-8"))
    with torch.device("meta"):
        return sum(parameter.numel() for parameter in model(**numbers, **changes).parameters())


@pytest.mark.parametrize(
    ("size", "with_both_heads", "without_the_pair_head"),
    [
        ("tiny", 4_433_468, 4_416_698),
        ("mini", 11_267_900, 11_201_594),
        ("small", 29_058_876, 28_795_194),
        ("medium", 41_668_412, 41_404_730),
        ("base", 110_106_428, 109_514_298),
        ("large", 336_226_108, 335_174_458),
    ],
)
def test_bert(size, with_both_heads, without_the_pair_head):
    assert count(Bert, size) == with_both_heads
    assert count(Bert, size, pair_classes=0) == without_the_pair_head


@pytest.mark.parametrize(
    ("size", "parameters"),
    [
        ("gpt2_small", 124_439_808),
        ("gpt2_medium", 354_823_168),
        ("gpt2_large", 774_030_080),
        ("gpt2_xl", 1_557_611_200),
    ],
)
def test_gpt2(size, parameters):
    assert count(GPT, size) == parameters


@pytest.mark.parametrize(
    ("size", "parameters"),
    [("t5_small", 60_506_624), ("t5_base", 222_903_552), ("t5_large", 737_668_096)],
)
def test_t5(size, parameters):
    assert count(T5, size) == parameters


@pytest.mark.parametrize(("size", "parameters"), [("t5_v1_1_small", 76_961_152), ("t5_v1_1_base", 247_577_856)])
def test_t5_version_1_1(size, parameters):
    assert count(T5, size, **VERSION_1_1) == parameters


@pytest.mark.parametrize(
    ("size", "patch_size", "parameters"),
    [
        ("vit_tiny", 16, 5_717_416),
        ("vit_small", 16, 22_050_664),
        ("base", 16, 86_567_656),
        ("base", 32, 88_224_232),
        ("large", 16, 304_326_632),
        ("vit_huge", 14, 632_045_800),
    ],
)
def test_vit(size, patch_size, parameters):
    assert count(ViT, size, patch_size=patch_size) == parameters
