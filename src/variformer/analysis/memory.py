"""How much memory a training step takes, without taking it: the step runs on fake tensors, which have a shape alone."""

import copy
import weakref
from collections.abc import Callable, Iterable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor, nn
from torch._subclasses.fake_tensor import FakeTensorMode
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from ..layers import Transformer

KEPT = {"bf16-true": torch.bfloat16}  # precision -> what the weights are kept in, where not float32
COMPUTED = {"bf16-mixed": torch.bfloat16, "16-mixed": torch.float16}  # what autocast computes in


@dataclass(frozen=True)
class Memory:
    """Bytes on one device at the peak of an uncompiled training step.

    `copies` are further copies of the weights, such as a moving average. `activations` is what the peak holds beside
    the rest, the batch and temporary tensors included.
    """

    weights: int
    gradients: int
    optimizer: int
    activations: int
    copies: int = 0

    @property
    def lasting(self) -> int:
        """What does not depend on the batch."""
        return self.weights + self.gradients + self.optimizer + self.copies

    @property
    def total(self) -> int:
        return self.lasting + self.activations

    def sharded(self, devices: int) -> "Memory":
        """On each of several devices that share weights, gradients and the optimizer's state."""
        parts = ("weights", "gradients", "optimizer", "copies")
        return replace(self, **{name: -(-getattr(self, name) // devices) for name in parts})


def training_memory(
    model: nn.Module,
    objective: nn.Module,
    batch: dict[str, Any],
    optimizer: Callable[[nn.Module], torch.optim.Optimizer],
    *,
    device: torch.device,
    precision: str = "32-true",
    checkpointing: bool = False,
    accumulates: bool = False,
) -> Memory:
    """What one step takes on `device`, with the attention kernels that it would choose there.

    The batch is a micro batch. Where there are several to a step (`accumulates`), gradients are kept between them.
    """
    dtype = KEPT.get(precision)
    with torch.random.fork_rng(devices=[]), fake_tensors() as mode:
        ghost = ghost_of(model, mode, device, dtype)
        for module in ghost.modules():
            if isinstance(module, Transformer):
                module.checkpointing = checkpointing
        weights = [*ghost.parameters(), *ghost.buffers()]
        with LiveBytes(weights) as live:
            steps, state = started(optimizer(ghost))
            gradients = size(p.grad for p in ghost.parameters() if p.grad is not None)
            if not accumulates:
                steps.zero_grad()
            live.peak = live.now
            inputs = {name: fake_of(value, mode, device, dtype) for name, value in batch.items()}
            live.hold(inputs.values())
            with computing(precision, device):
                loss = objective(ghost, inputs).loss
            loss.backward()
            del loss
            steps.step()
    held = Memory(size(weights), gradients, state, 0)
    return replace(held, activations=max(live.peak - held.lasting, 0))


def optimizer_memory(model: nn.Module, optimizer: Callable[[nn.Module], torch.optim.Optimizer]) -> int:
    """Bytes of the optimizer's state for a model as it is, where it is."""
    with fake_tensors() as mode, LiveBytes():
        return started(optimizer(ghost_of(model, mode)))[1]


class LiveBytes(TorchDispatchMode):
    """While active, how many bytes of tensors there are, and at most were: those given, and those that operations make.

    A number that is asked of a fake tensor, as by some optimizers, is 1: memory does not depend on it.
    """

    def __init__(self, tensors: Iterable[Any] = ()):
        super().__init__()
        self.now = self.peak = 0
        self.known: dict[int, weakref.ref] = {}
        self.hold(tensors)

    def __torch_dispatch__(self, function: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        if function is torch.ops.aten._local_scalar_dense.default:
            return 1
        result = function(*args, **(kwargs or {}))
        self.hold(tree_leaves(result))
        return result

    def hold(self, values: Iterable[Any]) -> None:
        for value in values:
            if isinstance(value, Tensor):
                self.count(value)

    def count(self, tensor: Tensor) -> None:
        """Once for each storage, until it is freed."""
        storage = tensor.untyped_storage()
        key, room = id(storage), storage.nbytes()
        if key in self.known:
            return

        def freed(_: weakref.ref) -> None:
            del self.known[key]
            self.now -= room

        self.known[key] = weakref.ref(storage, freed)
        self.now += room
        self.peak = max(self.peak, self.now)


def fake_tensors() -> FakeTensorMode:
    """Real tensors that the code holds besides, such as a teacher's weights, are taken for fake ones."""
    return FakeTensorMode(allow_non_fake_inputs=True)


def ghost_of(
    model: nn.Module, mode: FakeTensorMode, device: torch.device | None = None, dtype: torch.dtype | None = None
) -> nn.Module:
    """A copy of the model, training, whose tensors take no room; tensors that it shares stay shared."""

    def fake(tensor: Tensor) -> Tensor:
        copied = fake_of(tensor.detach(), mode, device or tensor.device, dtype)
        return nn.Parameter(copied, tensor.requires_grad) if isinstance(tensor, nn.Parameter) else copied

    return copy.deepcopy(model, {id(x): fake(x) for x in (*model.parameters(), *model.buffers())}).train()


def started(optimizer: torch.optim.Optimizer) -> tuple[torch.optim.Optimizer, int]:
    """The optimizer after a first step, which creates its state, and the bytes of that; gradients are left."""
    for group in optimizer.param_groups:
        for parameter in group["params"]:
            parameter.grad = torch.zeros_like(parameter)
    optimizer.step()
    return optimizer, size(x for state in optimizer.state.values() for x in state.values() if isinstance(x, Tensor))


def fake_of(value: Any, mode: FakeTensorMode, device: torch.device, dtype: torch.dtype | None) -> Any:
    """A tensor's stand-in on `device`, in `dtype` where it holds floats; anything else as it is."""
    if not isinstance(value, Tensor):
        return value
    return mode.from_tensor(value).to(device, dtype if value.is_floating_point() else None)


def computing(precision: str, device: torch.device) -> AbstractContextManager[Any]:
    """The context in which a mixed precision computes."""
    dtype = COMPUTED.get(precision)
    return nullcontext() if dtype is None else torch.autocast(device.type, dtype)


def size(tensors: Iterable[Tensor]) -> int:
    """Bytes, those of shared storages once."""
    storages = {id(storage): storage for storage in (tensor.untyped_storage() for tensor in tensors)}
    return sum(storage.nbytes() for storage in storages.values())


def readable(number: int) -> str:
    """Bytes in words: 3.4 GiB."""
    value, units = float(number), ["B", "KiB", "MiB", "GiB", "TiB"]
    while value >= 1000 and len(units) > 1:
        value, units = value / 1024, units[1:]
    return f"{value:.3g} {units[0]}"
