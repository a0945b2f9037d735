"""Adapters of low rank: what tuning learns beside matrices that stay as they are."""

from collections.abc import Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from fnmatch import fnmatchcase

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ..ranges import BelowOne, Count, Positive

# Shapes: I inputs, O outputs, R rank.


@dataclass(frozen=True)
class LowRank:
    """To each matrix that `where` names, alpha/rank times the product of two narrow ones is added (Hu et al., 2021,
    "LoRA", section 4.1).

    `where` are names of linear layers, with * for any letters. `dropout` is that of what the adapters read.
    """

    rank: Count = 8
    alpha: Positive = 16.0
    dropout: BelowOne = 0.0
    where: Sequence[str] = ("*_attention.query", "*_attention.value")

    def adapt(self, model: nn.Module) -> list[str]:
        """Give the named layers an adapter, in place. Names in checkpoints stay. Returns the names of the layers.

        Raises ValueError for a name that no layer has, and for a matrix that is also used elsewhere.
        """
        layers = {name: module for name, module in model.named_modules() if isinstance(module, nn.Linear)}
        chosen: dict[str, nn.Linear] = {}
        for place, pattern in enumerate(self.where):
            found = {name: each for name, each in layers.items() if fnmatchcase(name, pattern)}
            if not found:
                near = ", ".join(get_close_matches(pattern, layers, n=1, cutoff=0.0)) or "there is none"
                raise ValueError(f'where[{place}]: "{pattern}" names no linear layer; nearest: {near}')
            chosen |= found
        for name, layer in chosen.items():
            if others := [other for other in users(model, layer.weight) if other != name]:
                raise ValueError(f"where: {name} shares its matrix with {others[0]}, so it cannot be adapted alone")
        for name, layer in chosen.items():
            parent, _, last = name.rpartition(".")
            setattr(model.get_submodule(parent), last, LowRankLinear(layer, self.rank, self.alpha, self.dropout))
        return list(chosen)


class LowRankLinear(nn.Linear):
    """x W^T + alpha/rank (x D^T) U^T, with D, (R, I), as `down` and U, (O, R), as `up`, which is zero at first."""

    def __init__(self, layer: nn.Linear, rank: Count, alpha: Positive, dropout: BelowOne):
        super().__init__(layer.in_features, layer.out_features, layer.bias is not None, device="meta")
        self.weight, self.bias = layer.weight, layer.bias
        self.scale = alpha / rank
        self.dropout = nn.Dropout(dropout)
        self.down = nn.Parameter(layer.weight.new_empty(rank, layer.in_features))
        self.up = nn.Parameter(layer.weight.new_zeros(layer.out_features, rank))
        nn.init.kaiming_uniform_(self.down, a=5**0.5)  # as PyTorch draws a linear layer

    def forward(self, x: Tensor) -> Tensor:
        """(..., I) -> (..., O)."""
        return super().forward(x) + self.scale * F.linear(F.linear(self.dropout(x), self.down), self.up)

    @torch.no_grad()
    def merged(self) -> nn.Linear:
        """A plain layer with the sum of both matrices, computed in float32."""
        layer = nn.Linear(self.in_features, self.out_features, self.bias is not None, device="meta")
        total = self.weight.float() + self.scale * self.up.float() @ self.down.float()
        layer.weight, layer.bias = nn.Parameter(total.to(self.weight.dtype)), self.bias
        return layer.train(self.training)


def merge(model: nn.Module) -> nn.Module:
    """The same model, in which plain layers have taken the place of those with adapters."""
    adapted = [(name, each) for name, each in model.named_modules() if isinstance(each, LowRankLinear)]
    for name, layer in adapted:
        parent, _, last = name.rpartition(".")
        setattr(model.get_submodule(parent), last, layer.merged())
    return model


def adapter_names(model: nn.Module) -> set[str]:
    """The names of the parameters that adapters have added."""
    layers = (name for name, each in model.named_modules() if isinstance(each, LowRankLinear))
    return {f"{name}.{own}" for name in layers for own in ("down", "up")}


def users(model: nn.Module, weight: Tensor) -> list[str]:
    """The names of the modules that have a parameter as their own."""
    return [
        name
        for name, module in model.named_modules()
        if any(each is weight for each in module.parameters(recurse=False))
    ]
