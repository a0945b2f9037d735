"""Which parameters are updated how: decay groups, AdamW, SGD, and Muon for the hidden matrices."""

from collections.abc import Callable, Iterable
from typing import Any

import torch
from torch import Tensor, nn
from torch.optim.adamw import adamw

from ..ranges import BelowOne, NotNegative
from .contract import State
from .devices.sharding import full_tensor, shard_like

__all__ = ["SGD", "AdamW", "Muon"]

ParameterGroup = dict[str, Any]  # "params", and by name the hyperparameters that are the group's own
ParameterGroups = list[ParameterGroup]
Closure = Callable[[], float]


def decay_groups(model: nn.Module) -> ParameterGroups:
    """Matrices decay. Biases, norms and other vectors do not, and neither does what a part names as `undecayed()`.

    Hidden matrices, a group of their own, are those that a part names as `hidden_matrices()`.
    """
    return grouped(model, named(model, "undecayed"), named(model, "hidden_matrices"))


def decay_groups_of_before(model: nn.Module) -> ParameterGroups:
    """The groups of runs that began when every matrix decayed."""
    return grouped(model, set(), named(model, "hidden_matrices"))


def decay_groups_of_parts(model: nn.Module) -> ParameterGroups:
    """The groups of runs that began when a model as a whole could name no hidden matrices (ModernBERT)."""
    return grouped(model, named(model, "undecayed"), named(model, "hidden_matrices", itself=False))


EARLIER_GROUPS = (decay_groups_of_before, decay_groups_of_parts)


def named(model: nn.Module, method: str, itself: bool = True) -> set[int]:
    """The ids of the parameters that this method of the model and of its parts names."""
    parts = list(model.modules())[0 if itself else 1 :]
    return {id(parameter) for part in parts for parameter in getattr(part, method, list)()}


def grouped(model: nn.Module, exempt: set[int], inside: set[int]) -> ParameterGroups:
    parameters = [p for p in model.parameters() if p.requires_grad]
    matrices = [p for p in parameters if p.dim() >= 2 and id(p) not in exempt]
    hidden = [p for p in matrices if p.dim() == 2 and id(p) in inside]
    others = [p for p in matrices if not (p.dim() == 2 and id(p) in inside)]
    vectors = [p for p in parameters if p.dim() < 2 or id(p) in exempt]
    groups: ParameterGroups = [
        {"params": hidden, "name": "hidden matrices"},
        {"params": others, "name": "embeddings and heads"},
        {"params": vectors, "name": "vectors", "weight_decay": 0.0},
    ]
    return [group for group in groups if group["params"]]


def group_sizes(groups: Iterable[ParameterGroup]) -> list[int]:
    return [len(group["params"]) for group in groups]


def hyperparameters(group: ParameterGroup) -> ParameterGroup:
    """The hyperparameters of a group of parameters. `lr` is the peak of the schedule."""
    peak = group.get("initial_lr", group["lr"])
    return {key: value for key, value in group.items() if key not in ("params", "initial_lr")} | {"lr": peak}


def keep_own(optimizer: torch.optim.Optimizer, state: State) -> State:
    """The state of a checkpoint, but with the hyperparameters that the optimizer was built with."""
    own = [{key: value for key, value in group.items() if key != "params"} for group in optimizer.param_groups]
    groups = state["param_groups"]
    return state | {"param_groups": [group | ours for group, ours in zip(groups, own, strict=True)]}


class AdamW(torch.optim.AdamW):
    """Adam with decoupled weight decay (Loshchilov and Hutter, 2017), as one fused kernel per step."""

    def __init__(
        self,
        params: Iterable[ParameterGroup],
        *,
        lr: NotNegative = 1e-3,
        beta1: BelowOne = 0.9,
        beta2: BelowOne = 0.999,
        eps: NotNegative = 1e-8,
        weight_decay: NotNegative = 0.01,
        fused: bool = True,
    ):
        super().__init__(list(params), lr=lr, betas=(beta1, beta2), eps=eps, weight_decay=weight_decay, fused=fused)


class SGD(torch.optim.SGD):
    """Stochastic gradient descent with momentum (Sutskever et al., 2013, section 2, with `nesterov` 2.1).

    `weight_decay` is added to the gradient (L2), as in PyTorch.
    """

    def __init__(
        self,
        params: Iterable[ParameterGroup],
        *,
        lr: NotNegative = 0.1,
        momentum: BelowOne = 0.9,
        nesterov: bool = False,
        weight_decay: NotNegative = 0.0,
    ):
        super().__init__(list(params), lr=lr, momentum=momentum, nesterov=nesterov, weight_decay=weight_decay)


class Muon(torch.optim.Optimizer):
    """Momentum made orthogonal for the hidden matrices; AdamW for everything else.

    Jordan et al., 2024, "Muon: An optimizer for hidden layers in neural networks". `lr` is Muon's, scaled per matrix by
    max(1, rows / columns)^1/2; `adamw_lr` is the other parameters'. Matrices of one shape are made orthogonal together.
    """

    def __init__(
        self,
        params: Iterable[ParameterGroup],
        *,
        lr: NotNegative = 0.02,
        momentum: BelowOne = 0.95,
        weight_decay: NotNegative = 0.0,
        adamw_lr: NotNegative = 1e-3,
        beta1: BelowOne = 0.9,
        beta2: BelowOne = 0.95,
        eps: NotNegative = 1e-8,
    ):
        groups = [dict(group) for group in params]
        for group in groups:
            orthogonal = group.get("name") == "hidden matrices"
            group.setdefault("lr", lr if orthogonal else adamw_lr)
            group["orthogonal"] = orthogonal
        defaults = {"momentum": momentum, "weight_decay": weight_decay, "betas": (beta1, beta2), "eps": eps}
        super().__init__(groups, {"lr": lr, **defaults})

    @torch.no_grad()
    def step(self, closure: Closure | None = None) -> float | None:  # type: ignore[override]
        loss = None
        if closure is not None:
            with torch.enable_grad():
                loss = closure()
        for group in self.param_groups:
            group["params"] and (self.step_muon if group["orthogonal"] else self.step_adamw)(group)
        return loss

    def step_muon(self, group: ParameterGroup) -> None:
        by_shape: dict[torch.Size, list[Tensor]] = {}
        for parameter in group["params"]:
            if parameter.grad is not None:
                by_shape.setdefault(parameter.shape, []).append(parameter)
        for shape, parameters in by_shape.items():
            gradients = [p.grad for p in parameters if p.grad is not None]
            momenta = [self.state_of(p, "momentum") for p in parameters]
            torch._foreach_lerp_(momenta, gradients, 1 - group["momentum"])
            nesterov = torch._foreach_lerp(gradients, momenta, group["momentum"])
            matrices = torch.stack([full_tensor(matrix) for matrix in nesterov])
            updates = orthogonalise(matrices) * max(1.0, shape[0] / shape[1]) ** 0.5
            torch._foreach_mul_(parameters, 1 - group["lr"] * group["weight_decay"])
            parts = [shard_like(update, parameter) for update, parameter in zip(updates, parameters, strict=True)]
            torch._foreach_add_(parameters, parts, alpha=-group["lr"])

    def step_adamw(self, group: ParameterGroup) -> None:
        parameters = [p for p in group["params"] if p.grad is not None]
        adamw(
            parameters,
            [p.grad for p in parameters],
            [self.state_of(p, "exp_avg") for p in parameters],
            [self.state_of(p, "exp_avg_sq") for p in parameters],
            [],
            [self.state_of(p, "step", like=torch.zeros((), device=p.device)) for p in parameters],
            fused=True,
            amsgrad=False,
            lr=group["lr"],
            beta1=group["betas"][0],
            beta2=group["betas"][1],
            weight_decay=group["weight_decay"],
            eps=group["eps"],
            maximize=False,
        )

    def state_of(self, parameter: Tensor, name: str, like: Tensor | None = None) -> Tensor:
        state = self.state[parameter]
        if name not in state:
            state[name] = torch.zeros_like(parameter if like is None else like)
        state[name] = state[name].to(parameter.device)  # PyTorch leaves a `step` that was loaded where it was saved
        return state[name]


def orthogonalise(matrices: Tensor, iterations: int = 5) -> Tensor:
    """(N, R, C): each matrix moved near its closest orthogonal one, by Newton and Schulz's iteration of degree five.

    The coefficients (Jordan et al., 2024) trade exactness for speed: singular values end between about 0.7 and 1.2.
    """
    a, b, c = 3.4445, -4.7750, 2.0315
    x = matrices.bfloat16() if matrices.is_cuda else matrices  # bfloat16 suffices, and is slow on most CPUs
    tall = x.size(1) > x.size(2)
    x = x.mT if tall else x
    x = x / (x.norm(dim=(1, 2), keepdim=True) + 1e-7)
    for _ in range(iterations):
        square = x @ x.mT
        x = a * x + (b * square + c * square @ square) @ x
    return (x.mT if tall else x).to(matrices.dtype)
