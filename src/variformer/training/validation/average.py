"""An exponential moving average of the weights, used for validation and kept at the end."""

from collections.abc import Iterator
from typing import ClassVar

import lightning as L
import torch
from lightning.pytorch.utilities.types import STEP_OUTPUT
from torch import Tensor

from ...objectives.objective import Batch
from ...ranges import BelowOne
from ..callback import NamedTensor, RunCallback
from ..contract import State, training_module
from ..devices.sharding import gathered, shard_like
from ..order import Order


class MovingAverage(RunCallback):
    """average <- decay * average + (1 - decay) * weights after every step (Polyak and Juditsky, 1992; DeiT, section 6).

    In the first steps, decay is at most (1 + step) / (10 + step), so that the first weights are soon forgotten. The
    average is in float32, because weights of 16 bits would round its small steps away. Evaluation and best.ckpt use the
    average. A full checkpoint holds the average and the weights, and `evaluation_weights` chooses between them.
    """

    order: ClassVar[Order] = Order.AVERAGE
    weight_copies: ClassVar[int] = 1

    def __init__(self, decay: BelowOne = 0.999):
        self.decay = decay
        self.average: dict[str, Tensor] = {}
        self.weights: dict[str, Tensor] = {}  # while the average is evaluated in their place
        self.updated_step = 0

    def on_train_start(self, trainer: L.Trainer, module: L.LightningModule) -> None:
        if not self.average:
            named = training_module(module).model.named_parameters()
            self.average = {name: p.detach().clone().float() for name, p in named}
        self.place(module)

    def place(self, module: L.LightningModule) -> None:
        """Move what was loaded from a checkpoint to where the parameters are."""
        named = dict(training_module(module).model.named_parameters())
        self.average = {name: shard_like(tensor, named[name]).float() for name, tensor in self.average.items()}

    @torch.no_grad()
    def on_train_batch_end(
        self, trainer: L.Trainer, module: L.LightningModule, outputs: STEP_OUTPUT, batch: Batch, batch_idx: int
    ) -> None:
        step = trainer.global_step
        if step == self.updated_step:
            return
        self.updated_step = step
        decay = min(self.decay, (1 + step) / (10 + step))
        weights = [p.detach().float() for p in training_module(module).model.parameters()]
        torch._foreach_lerp_(list(self.average.values()), weights, 1 - decay)

    @torch.no_grad()
    def on_validation_start(self, trainer: L.Trainer, module: L.LightningModule) -> None:
        """Put the average in the place of the weights. Before any training there is none."""
        self.place(module)
        named = [(name, p) for name, p in training_module(module).model.named_parameters() if name in self.average]
        self.weights = {name: parameter.detach().clone() for name, parameter in named}
        for name, parameter in named:
            parameter.copy_(self.average[name])

    @torch.no_grad()
    def leave_validation(self, module: L.LightningModule) -> None:
        for name, parameter in training_module(module).model.named_parameters():
            if name in self.weights:
                parameter.copy_(self.weights.pop(name))

    def on_validation_end(self, trainer: L.Trainer, module: L.LightningModule) -> None:
        self.leave_validation(module)

    def on_test_start(self, trainer: L.Trainer, module: L.LightningModule) -> None:
        self.on_validation_start(trainer, module)

    def on_test_end(self, trainer: L.Trainer, module: L.LightningModule) -> None:
        self.leave_validation(module)

    def kept_tensors(self) -> Iterator[NamedTensor]:
        return ((f"average of {name}", tensor) for name, tensor in self.average.items())

    def state_dict(self) -> State:
        return {"average": gathered(self.average), "updated_step": self.updated_step}

    def load_state_dict(self, state: State) -> None:
        self.average, self.updated_step = dict(state["average"]), state["updated_step"]


def evaluation_weights(checkpoint: State) -> dict[str, Tensor]:
    """The weights of a checkpoint that evaluation uses: the average where the run kept one."""
    weights = dict(checkpoint["state_dict"])
    for state in checkpoint.get("callbacks", {}).values():
        averages = {weights[f"model.{name}"].data_ptr(): tensor for name, tensor in state.get("average", {}).items()}
        # By address, because a tied tensor has two names here and one in the average.
        weights = {
            name: averages.get(tensor.data_ptr(), tensor) if averages else tensor for name, tensor in weights.items()
        }
    return weights
