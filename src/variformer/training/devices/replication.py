"""DDP: every device has a copy of the model, and gradients are averaged while the backward pass still runs."""

from typing import Any

from lightning.pytorch.strategies import DDPStrategy
from torch.nn.parallel import DistributedDataParallel

from ...analysis.cost import unreached
from .launcher import with_ours


class ReplicatedStrategy(DDPStrategy):
    """Lightning's DDP, which would wait forever for the gradients of parameters that the loss does not depend on.

    Those are named to it in advance: to look for them in every step, as DDP can, costs time in every step.
    """

    def _configure_launcher(self) -> None:
        super()._configure_launcher()
        self._launcher = with_ours(self._launcher)

    def configure_ddp(self) -> None:
        module: Any = self.lightning_module
        batch = self.precision_plugin.convert_input(module.trainer.datamodule.example())
        idle = unreached(module.model, module.objective, batch)
        names = [f"model.{name}" for name in idle]
        DistributedDataParallel._set_params_and_buffers_to_ignore_for_model(module, names)
        super().configure_ddp()
