"""DDP: every device has a copy of the model, and gradients are averaged while the backward pass still runs."""

from lightning.pytorch.strategies import DDPStrategy
from torch.nn.parallel import DistributedDataParallel

from ...analysis.cost import unreached
from ..contract import run_trainer, training_module
from .launcher import OwnLauncher


class ReplicatedStrategy(OwnLauncher, DDPStrategy):
    """Lightning's DDP, which knows in advance which parameters the loss does not depend on.

    DDP would wait for their gradients without end. It can also look for such parameters in every step, but that takes
    time in every step.
    """

    def configure_ddp(self) -> None:
        assert self.lightning_module is not None
        module = training_module(self.lightning_module)
        batch = self.precision_plugin.convert_input(run_trainer(module.trainer).datamodule.example())
        idle = unreached(module.model, module.objective, batch)
        names = [f"model.{name}" for name in idle]
        DistributedDataParallel._set_params_and_buffers_to_ignore_for_model(module, names)
        super().configure_ddp()
