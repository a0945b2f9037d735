"""How much memory a training step takes, without taking it: the step runs on fake tensors, which have only a shape."""

import copy
import weakref
from collections.abc import Callable, Iterable, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, replace

import torch
from torch import Tensor, nn
from torch._subclasses.fake_tensor import FakeTensorMode
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from ..layers import Transformer
from ..objectives.objective import Batch, Objective

KEPT = {"bf16-true": torch.bfloat16}  # precision -> what the weights are kept in, where not float32
COMPUTED = {"bf16-mixed": torch.bfloat16, "16-mixed": torch.float16}  # what autocast computes in


@dataclass(frozen=True)
class Memory:
    """Bytes on one device at the peak of an uncompiled training step.

    `copies` are further copies of the weights, such as a moving average. `activations` is the rest of the peak, with
    the batch and temporary tensors.
    """

    weights: int
    gradients: int
    optimizer: int
    activations: int
    copies: int = 0

    @property
    def lasting(self) -> int:
        """The bytes that do not depend on the batch."""
        return self.weights + self.gradients + self.optimizer + self.copies

    @property
    def total(self) -> int:
        return self.lasting + self.activations

    def sharded(self, devices: int) -> "Memory":
        """The bytes on each of several devices, over which weights, gradients and the optimizer's state are split."""
        parts = ("weights", "gradients", "optimizer", "copies")
        return replace(self, **{name: -(-getattr(self, name) // devices) for name in parts})


def training_memory(
    model: nn.Module,
    objective: Objective,
    batch: Batch,
    optimizer: Callable[[nn.Module], torch.optim.Optimizer],
    *,
    device: torch.device,
    precision: str = "32-true",
    checkpointing: bool = False,
    accumulates: bool = False,
) -> Memory:
    """The memory of one step on `device`, with the attention kernels that it would choose there.

    `batch` is a micro batch. With several of them in a step (`accumulates`), gradients are kept between them.
    """
    dtype = KEPT.get(precision)
    with torch.random.fork_rng(devices=[]), fake_tensors() as mode:
        fake_model = with_fake_tensors(model, mode, device, dtype)
        for module in fake_model.modules():
            if isinstance(module, Transformer):
                module.checkpointing = checkpointing
        weights = [*fake_model.parameters(), *fake_model.buffers()]
        with LiveBytes(weights) as live:
            steps, state = started(optimizer(fake_model))
            gradients = size(p.grad for p in fake_model.parameters() if p.grad is not None)
            if not accumulates:
                steps.zero_grad()
            live.peak = live.now
            inputs = {n: fake_of(x, mode, device, dtype) if isinstance(x, Tensor) else x for n, x in batch.items()}
            live.hold(inputs.values())
            with computing(precision, device):
                loss = objective(fake_model, inputs).loss
            loss.backward()
            del loss
            steps.step()
    held = Memory(size(weights), gradients, state, 0)
    return replace(held, activations=max(live.peak - held.lasting, 0))


def optimizer_memory(model: nn.Module, optimizer: Callable[[nn.Module], torch.optim.Optimizer]) -> int:
    """Bytes of the optimizer's state for this model, on the model's device."""
    with fake_tensors() as mode, LiveBytes():
        return started(optimizer(with_fake_tensors(model, mode)))[1]


class LiveBytes(TorchDispatchMode):
    """Counts the bytes of tensors while it is active: those given, and those that operations make.

    `now` is their present sum, and `peak` the largest so far. Some optimizers ask a fake tensor for a number. They get
    1, because memory does not depend on it.
    """

    def __init__(self, tensors: Iterable[object] = ()):
        super().__init__()
        self.now = self.peak = 0
        self.known: dict[int, weakref.ref] = {}
        self.hold(tensors)

    def __torch_dispatch__(
        self,
        function: Callable[..., object],
        types: Sequence[type],
        args: tuple[object, ...] = (),
        kwargs: dict[str, object] | None = None,
    ) -> object:
        if function is torch.ops.aten._local_scalar_dense.default:
            return 1
        result = function(*args, **(kwargs or {}))
        self.hold(tree_leaves(result))
        return result

    def hold(self, values: Iterable[object]) -> None:
        for value in values:
            if isinstance(value, Tensor):
                self.count(value)

    def count(self, tensor: Tensor) -> None:
        """Count each storage once, until it is freed."""
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
    """A mode of fake tensors. Real tensors, such as a teacher's weights, are taken for fake ones in it."""
    return FakeTensorMode(allow_non_fake_inputs=True)


def with_fake_tensors(
    model: nn.Module, mode: FakeTensorMode, device: torch.device | None = None, dtype: torch.dtype | None = None
) -> nn.Module:
    """A copy of the model in training mode whose tensors take no memory. Shared tensors stay shared."""

    def fake(tensor: Tensor) -> Tensor:
        copied = fake_of(tensor.detach(), mode, device or tensor.device, dtype)
        return nn.Parameter(copied, tensor.requires_grad) if isinstance(tensor, nn.Parameter) else copied

    return copy.deepcopy(model, {id(x): fake(x) for x in (*model.parameters(), *model.buffers())}).train()


def started(optimizer: torch.optim.Optimizer) -> tuple[torch.optim.Optimizer, int]:
    """The optimizer after its first step, and the bytes of the state that this step created. Gradients are kept."""
    for group in optimizer.param_groups:
        for parameter in group["params"]:
            parameter.grad = torch.zeros_like(parameter)
    optimizer.step()
    return optimizer, size(x for state in optimizer.state.values() for x in state.values() if isinstance(x, Tensor))


def fake_of(tensor: Tensor, mode: FakeTensorMode, device: torch.device, dtype: torch.dtype | None) -> Tensor:
    """A fake tensor for a tensor, on `device` and, if it holds floats, in `dtype`."""
    return mode.from_tensor(tensor).to(device, dtype if tensor.is_floating_point() else None)


def computing(precision: str, device: torch.device) -> AbstractContextManager[object]:
    """The context in which a mixed precision computes."""
    dtype = COMPUTED.get(precision)
    return nullcontext() if dtype is None else torch.autocast(device.type, dtype)


def size(tensors: Iterable[Tensor]) -> int:
    """Bytes of tensors; a storage that several share counts once."""
    storages = {id(storage): storage for storage in (tensor.untyped_storage() for tensor in tensors)}
    return sum(storage.nbytes() for storage in storages.values())


def readable(number: int) -> str:
    """3650722202 -> "3.4 GiB"."""
    value, units = float(number), ["B", "KiB", "MiB", "GiB", "TiB"]
    while value >= 1000 and len(units) > 1:
        value, units = value / 1024, units[1:]
    return f"{value:.3g} {units[0]}"
