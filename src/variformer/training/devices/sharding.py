"""FSDP2: weights, gradients and optimizer state split over the devices, and put together again for checkpoints.

Zhao et al., 2023, "PyTorch FSDP"; each tensor's rows are split, as a DTensor.
"""

import copy
from datetime import timedelta
from pathlib import Path
from typing import Any

import torch
from lightning.pytorch.strategies import ModelParallelStrategy, ParallelStrategy, Strategy
from torch import Tensor, nn
from torch.distributed.fsdp import fully_shard
from torch.distributed.tensor import DTensor, distribute_tensor
from torch.optim import Optimizer
from torch.utils._pytree import tree_map

from ...analysis.machine_memory import free_memory
from ...layers import Block
from .launcher import with_ours


class ShardedStrategy(ModelParallelStrategy):
    """Lightning's strategy for FSDP2, with the checkpoints that every other run has: whole, verified, in one file.

    Every process builds the whole model on the CPU before it keeps its share.
    """

    def __init__(self, timeout: timedelta):
        super().__init__(save_distributed_checkpoint=False, timeout=timeout)
        self.unsharded: nn.Module | None = None  # as the model was; its parameters are on the meta device

    def _configure_launcher(self) -> None:
        super()._configure_launcher()
        self._launcher = with_ours(self._launcher)

    def shard(self, model: nn.Module) -> None:
        """Block by block, in place; what is in no block is one more unit.

        A unit is whole while it computes and at no other time, so that callbacks see shards alone.
        """
        self.unsharded = replaced(model, lambda parameter: parameter.to("meta"))
        for module in list(model.modules()):
            if isinstance(module, Block):
                fully_shard(module, reshard_after_forward=True)
        fully_shard(model, reshard_after_forward=True)

    def lightning_module_state_dict(self) -> dict[str, Any]:
        """Whole on rank zero; the others take part. Tied tensors stay one."""
        assert self.lightning_module is not None
        state = self.lightning_module.state_dict(keep_vars=True)
        distinct = gathered({id(tensor): tensor.detach() for tensor in state.values()})
        return {name: distinct[id(tensor)] for name, tensor in state.items()}

    def optimizer_state(self, optimizer: Optimizer) -> dict[str, Any]:
        return gathered(ParallelStrategy.optimizer_state(self, optimizer))

    def load_checkpoint(self, checkpoint_path: str | Path, weights_only: bool | None = None) -> dict[str, Any]:
        """Each process reads the whole file and keeps its share of weights and optimizer state."""
        checkpoint = self.checkpoint_io.load_checkpoint(self.broadcast(checkpoint_path), weights_only=weights_only)
        module = self.lightning_module
        assert module is not None
        own = module.state_dict()
        saved = {name: like(tensor, own[name]) for name, tensor in checkpoint["state_dict"].items() if name in own}
        module.load_state_dict(checkpoint["state_dict"] | saved, strict=module.strict_loading)
        for optimizer, state in zip(self.optimizers, checkpoint.get("optimizer_states", []), strict=False):
            optimizer.load_state_dict(sharded_state(state, optimizer))
        return checkpoint


def whole(tensor: Tensor) -> Tensor:
    """All of a tensor of which each process holds a part; all of them must ask for it. Others as they are."""
    return tensor.full_tensor() if isinstance(tensor, DTensor) else tensor


def local(tensor: Tensor) -> Tensor:
    """This process's part of a split tensor; others as they are."""
    return tensor.to_local() if isinstance(tensor, DTensor) else tensor


def gathered(state: Any) -> Any:
    """The same dicts and lists, with each split tensor whole and on the CPU; on rank zero alone, which saves them.

    All processes must ask for it. Goes tensor by tensor, so that a device holds one whole tensor at a time.
    """
    return tree_map(lambda value: on_rank_zero(value) if isinstance(value, DTensor) else value, state)


def on_rank_zero(tensor: DTensor) -> Tensor | None:
    full = tensor.full_tensor()
    return full.cpu() if torch.distributed.get_rank() == 0 else None


def like(tensor: Tensor, reference: Tensor) -> Tensor:
    """This process's part of a whole tensor, if `reference` is split, and on its device."""
    tensor = tensor.to(reference.device)
    if not isinstance(reference, DTensor) or isinstance(tensor, DTensor):
        return tensor
    return distribute_tensor(tensor, reference.device_mesh, reference.placements, src_data_rank=None)


def sharded_state(state: dict[str, Any], optimizer: Optimizer) -> dict[str, Any]:
    """A whole optimizer state as `optimizer` holds it: what has a parameter's shape is split as that is."""
    parameters = [parameter for group in optimizer.param_groups for parameter in group["params"]]

    def share(value: Any, parameter: Tensor) -> Any:
        return like(value, parameter) if isinstance(value, Tensor) and value.shape == parameter.shape else value

    shares = {
        number: {name: share(value, parameters[number]) for name, value in values.items()}
        for number, values in state["state"].items()
    }
    return state | {"state": shares}


def replaced(model: nn.Module, change: Any) -> nn.Module:
    """A copy of the model with other parameters, `change` of its own; what was tied stays tied."""
    new = {id(old): nn.Parameter(change(old.detach()), old.requires_grad) for old in model.parameters()}
    return copy.deepcopy(model, new)


def whole_model(strategy: Strategy, model: nn.Module) -> nn.Module | None:
    """The model itself, or a whole copy of one that is sharded; on rank zero alone, though all must ask for it.

    The copy is on rank zero's device, or on the CPU where the device has too little memory for it.
    """
    if not isinstance(strategy, ShardedStrategy) or strategy.unsharded is None:
        return model if strategy.is_global_zero else None
    weights = gathered([parameter.detach() for parameter in model.parameters()])
    if not strategy.is_global_zero:
        return None
    rest = iter(weights)
    copied = replaced(strategy.unsharded, lambda _: next(rest)).train(model.training)
    free = free_memory(strategy.root_device)
    fits = free is None or 2 * sum(tensor.nbytes for tensor in weights) < free  # room to compute as well
    return copied.to(strategy.root_device) if fits else copied


def outline(strategy: Strategy, model: nn.Module) -> nn.Module:
    """The model itself, or what a sharded one was like: the same modules, without the values of parameters."""
    return getattr(strategy, "unsharded", None) or model
