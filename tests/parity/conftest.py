"""Tiny random models of transformers, written as checkpoints, and ours read from them."""

import copy
import re
from collections.abc import Callable
from typing import Any, NamedTuple

import pytest
import torch
from safetensors.torch import load_file
from torch import Tensor, nn

from variformer.weights.huggingface import load, to_huggingface

# A bias of keys adds the same to all scores of a query, which softmax takes away: its gradient is rounding alone.
# Where keys turn with their positions (RoFormer), or are normed, it is not the same for all, and has one.
KEY_BIAS = r"^(?!roformer\.).*(\bkey|k_lin|k_proj)\.bias$"


class Twins(NamedTuple):
    theirs: Any
    ours: Any
    folder: Any


class Batch(NamedTuple):
    tokens: Tensor  # (B, T); `pad` where padded, other ids from 4 on
    mask: Tensor  # (B, T), True where real; the first row is full and each other one a token shorter
    segments: Tensor  # (B, T), 0 or 1


@pytest.fixture
def padded() -> Callable[..., Batch]:
    def make(rows: int, length: int, *, pad: int, vocabulary: int, side: str = "right") -> Batch:
        lengths = torch.arange(length, length - rows, -1)[:, None]
        places = torch.arange(length) if side == "right" else torch.arange(length).flip(0)
        mask = places < lengths
        tokens = torch.randint(4, vocabulary, (rows, length)).masked_fill(~mask, pad)
        return Batch(tokens, mask, torch.randint(2, (rows, length)))

    return make


@pytest.fixture
def twins(tmp_path) -> Callable[[nn.Module], Twins]:
    """Theirs with every tensor drawn anew, so that no bias is zero and no norm one; saved, and read by us."""

    def make(theirs: nn.Module) -> Twins:
        torch.manual_seed(1)
        with torch.no_grad():
            for name, parameter in theirs.named_parameters():
                if not parameter.requires_grad:  # it is computed
                    continue
                centre = 1.0 if "norm" in name.lower() and name.endswith("weight") else 0.0
                parameter.normal_(centre, 0.3)
            for name, buffer in theirs.named_buffers():
                if name == "final_logits_bias":
                    buffer.normal_()
        theirs.save_pretrained(tmp_path)
        return Twins(theirs.eval(), load(tmp_path).eval(), tmp_path)

    return make


@pytest.fixture
def close() -> Callable[[Tensor, Tensor], bool]:
    """Equal but for rounding: at most 1e-5 apart, on the scale of what is expected."""

    def compare(ours: Tensor, theirs: Tensor) -> bool:
        assert ours.shape == theirs.shape
        return bool((ours - theirs).abs().max() <= 1e-5 * theirs.abs().max())

    return compare


@pytest.fixture
def same_gradients() -> Callable[..., None]:
    """Each tensor's gradient at most 1e-4 of its norm away; nearly nothing in both where mathematics says zero.

    `zero`, a regular expression, names these: the biases of keys, unless said otherwise. Beside the largest gradient,
    nearly nothing is what is left of probabilities and labels that cancel out: their sizes add up to one, however small
    the gradients are that they cause, and their sum is right to a few roundings.
    """

    def compare(ours: dict[str, Tensor], theirs: dict[str, Tensor], zero: str = KEY_BIAS) -> None:
        assert ours.keys() == theirs.keys()
        largest = max(float(gradient.norm()) for gradient in theirs.values())
        nothing = max(1e-6 * largest, 4 * torch.finfo(torch.float32).eps)
        for name, expected in theirs.items():
            if re.search(zero, name):
                assert expected.norm() <= nothing and ours[name].norm() <= nothing, name
            else:
                assert expected.norm() > 0, name
                assert (ours[name] - expected).norm() <= 1e-4 * expected.norm(), name

    return compare


@pytest.fixture
def same_step(same_gradients, tmp_path) -> Callable[..., None]:
    """The same loss, and the same gradient of every tensor of the checkpoint, under its name in files.

    `padding=False` leaves the vectors of padding out: theirs never trains them, ours does where the loss reads padding.
    """

    def compare(twins: Twins, ours: Tensor, theirs: Tensor, zero: str = KEY_BIAS, padding: bool = True) -> None:
        torch.testing.assert_close(ours, theirs, rtol=1e-5, atol=0)
        ours.backward()
        theirs.backward()
        gradients = with_gradients(twins.theirs)
        gradients.save_pretrained(tmp_path / "gradients")
        expected = load_file(tmp_path / "gradients" / "model.safetensors")
        found = to_huggingface(with_gradients(twins.ours))
        for name in [name for name, _ in twins.theirs.named_buffers() if name in expected]:
            del expected[name], found[name]
        if not padding:
            for name, module in twins.theirs.named_modules():
                if isinstance(module, nn.Embedding) and module.padding_idx is not None and f"{name}.weight" in expected:
                    expected[f"{name}.weight"][module.padding_idx] = 0
                    found[f"{name}.weight"] = found[f"{name}.weight"].index_fill(0, torch.tensor(module.padding_idx), 0)
        same_gradients(found, expected, zero)

    return compare


def with_gradients(model: nn.Module) -> nn.Module:
    """A copy whose parameters are the gradients: its checkpoint then names them."""
    clone = copy.deepcopy(model)
    for target, source in zip(clone.parameters(), model.parameters(), strict=True):
        if source.requires_grad:
            assert source.grad is not None
            target.data = source.grad.clone()
    return clone
