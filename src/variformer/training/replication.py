"""DDP: every device has a copy of the model, and gradients are averaged while the backward pass still runs."""

import copy
from typing import Any

from lightning.pytorch.strategies import DDPStrategy
from torch import Tensor, nn
from torch.nn.parallel import DistributedDataParallel

from ..objectives.objective import Batch


class ReplicatedStrategy(DDPStrategy):
    """Lightning's DDP, which would wait forever for the gradients of parameters that the loss does not depend on.

    Those are named to it in advance: to look for them in every step, as DDP can, costs time in every step.
    """

    def configure_ddp(self) -> None:
        module: Any = self.lightning_module
        batch = self.precision_plugin.convert_input(module.trainer.datamodule.example())
        idle = unreached(module.model, module.objective, batch)
        names = [f"model.{name}" for name in idle]
        DistributedDataParallel._set_params_and_buffers_to_ignore_for_model(module, names)
        super().configure_ddp()


def unreached(model: nn.Module, objective: nn.Module, batch: Batch) -> list[str]:
    """Parameters that the loss of a batch does not depend on, found without computing anything."""
    ghost = copy.deepcopy(model).to("meta").train()
    on_meta = {name: x.to("meta") if isinstance(x, Tensor) else x for name, x in batch.items()}
    objective(ghost, on_meta).loss.backward()
    named = ghost.named_parameters(remove_duplicate=False)
    return [name for name, parameter in named if parameter.requires_grad and parameter.grad is None]
