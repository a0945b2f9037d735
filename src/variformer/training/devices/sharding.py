"""FSDP2: weights, gradients and optimizer state are split over the devices, and gathered again for checkpoints.

Zhao et al., 2023, "PyTorch FSDP". The rows of each tensor are split, as a DTensor.
"""

import copy
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import TypeVar

import torch
from lightning.pytorch.strategies import ModelParallelStrategy, ParallelStrategy, Strategy
from torch import Tensor, nn
from torch.distributed.fsdp import fully_shard
from torch.distributed.tensor import DTensor, distribute_tensor
from torch.optim import Optimizer
from torch.utils._pytree import tree_map

from ...analysis.machine_memory import free_memory
from ...layers import Block
from ..contract import State
from .launcher import OwnLauncher

Tree = TypeVar("Tree")  # dicts and lists within each other, with tensors and plain values as leaves


class ShardedStrategy(OwnLauncher, ModelParallelStrategy):
    """Lightning's strategy for FSDP2, which writes the same checkpoints as every other run: verified, in one file.

    Every process builds the full model on the CPU before it keeps its part.
    """

    def __init__(self, timeout: timedelta):
        super().__init__(save_distributed_checkpoint=False, timeout=timeout)
        self.unsharded: nn.Module | None = None  # the model as it was built, with parameters on the meta device

    def shard(self, model: nn.Module) -> None:
        """Shard the model in place, block by block. What is in no block is one more unit.

        A unit's parameters are gathered only while it computes, so callbacks see only the parts of this process.
        """
        self.unsharded = with_parameters(model, lambda parameter: parameter.to("meta"))
        for module in list(model.modules()):
            if isinstance(module, Block):
                fully_shard(module, reshard_after_forward=True)
        fully_shard(model, reshard_after_forward=True)

    def lightning_module_state_dict(self) -> State:
        """Full tensors on rank zero. All processes must call it. Tied tensors stay one."""
        assert self.lightning_module is not None
        state = self.lightning_module.state_dict(keep_vars=True)
        distinct = gathered({id(tensor): tensor.detach() for tensor in state.values()})
        return {name: distinct[id(tensor)] for name, tensor in state.items()}

    def optimizer_state(self, optimizer: Optimizer) -> State:
        return gathered(ParallelStrategy.optimizer_state(self, optimizer))

    def load_checkpoint(self, checkpoint_path: str | Path, weights_only: bool | None = None) -> State:
        """Each process reads the whole file and keeps its part of the weights and of the optimizer's state."""
        checkpoint = self.checkpoint_io.load_checkpoint(self.broadcast(checkpoint_path), weights_only=weights_only)
        module = self.lightning_module
        assert module is not None
        own = module.state_dict()
        saved = {n: shard_like(tensor, own[n]) for n, tensor in checkpoint["state_dict"].items() if n in own}
        module.load_state_dict(checkpoint["state_dict"] | saved, strict=module.strict_loading)
        for optimizer, state in zip(self.optimizers, checkpoint.get("optimizer_states", []), strict=False):
            optimizer.load_state_dict(sharded_state(state, optimizer))
        return checkpoint


def full_tensor(tensor: Tensor) -> Tensor:
    """The full tensor of a DTensor; all processes must call it. Any other tensor as it is."""
    return tensor.full_tensor() if isinstance(tensor, DTensor) else tensor


def local_shard(tensor: Tensor) -> Tensor:
    """This process's part of a DTensor. Any other tensor as it is."""
    return tensor.to_local() if isinstance(tensor, DTensor) else tensor


def shard_like(tensor: Tensor, reference: Tensor) -> Tensor:
    """This process's part of a full tensor where `reference` is a DTensor; in any case on the device of `reference`."""
    tensor = tensor.to(reference.device)
    if not isinstance(reference, DTensor) or isinstance(tensor, DTensor):
        return tensor
    return distribute_tensor(tensor, reference.device_mesh, reference.placements, src_data_rank=None)


def gathered(state: Tree) -> Tree:
    """The same dicts and lists, with each DTensor as a full tensor on the CPU of rank zero, and None elsewhere.

    All processes must call it. It gathers one tensor after the other, so a device holds only one full tensor at a time.
    """
    return tree_map(lambda value: on_rank_zero(value) if isinstance(value, DTensor) else value, state)


def on_rank_zero(tensor: DTensor) -> Tensor | None:
    full = tensor.full_tensor()
    return full.cpu() if torch.distributed.get_rank() == 0 else None


def sharded_state(state: State, optimizer: Optimizer) -> State:
    """A full optimizer state as `optimizer` holds it: what has the shape of a parameter is split as that is."""
    parameters = [parameter for group in optimizer.param_groups for parameter in group["params"]]

    def part(value: object, parameter: Tensor) -> object:
        return shard_like(value, parameter) if isinstance(value, Tensor) and value.shape == parameter.shape else value

    parts = {
        number: {name: part(value, parameters[number]) for name, value in values.items()}
        for number, values in state["state"].items()
    }
    return state | {"state": parts}


def with_parameters(model: nn.Module, change: Callable[[Tensor], Tensor]) -> nn.Module:
    """A copy of the model whose parameters are `change(parameter)`. Tied parameters stay tied."""
    new = {id(old): nn.Parameter(change(old.detach()), old.requires_grad) for old in model.parameters()}
    return copy.deepcopy(model, new)


def full_model(strategy: Strategy, model: nn.Module) -> nn.Module | None:
    """The model itself, or an unsharded copy of one that is sharded; None on other ranks than zero.

    All processes must call it. The copy is on rank zero's device, or on the CPU where the device has too little memory.
    """
    if not isinstance(strategy, ShardedStrategy) or strategy.unsharded is None:
        return model if strategy.is_global_zero else None
    weights = gathered([parameter.detach() for parameter in model.parameters()])
    if not strategy.is_global_zero:
        return None
    rest = iter(weights)
    copied = with_parameters(strategy.unsharded, lambda _: next(rest)).train(model.training)
    free = free_memory(strategy.root_device)
    fits = free is None or 2 * sum(tensor.nbytes for tensor in weights) < free  # room to compute as well
    return copied.to(strategy.root_device) if fits else copied


def unsharded_outline(strategy: Strategy, model: nn.Module) -> nn.Module:
    """The model itself; of a sharded one, the same modules with parameters on the meta device."""
    return (strategy.unsharded if isinstance(strategy, ShardedStrategy) else None) or model
