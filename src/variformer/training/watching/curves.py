"""The training curves: losses, learning rates, gradient norm."""

from typing import ClassVar

import lightning as L
from lightning.pytorch.utilities.types import STEP_OUTPUT

from ...objectives.objective import Batch
from ..callback import RunCallback
from ..contract import training_module
from ..order import Order
from ..record import record
from ..steps import step_is_logged


class Curves(RunCallback):
    """Records the last batch of every `trainer.log_every`-th step. In the other steps nothing waits for the device."""

    order: ClassVar[Order] = Order.MEASURE

    def on_train_batch_end(
        self, trainer: L.Trainer, module: L.LightningModule, outputs: STEP_OUTPUT, batch: Batch, batch_idx: int
    ) -> None:
        if not step_is_logged(trainer, batch_idx):
            return
        own = training_module(module)
        scores, norm = own.latest, own.gradient_norm
        assert scores is not None
        means = {name: (ratio.total / ratio.count).item() for name, ratio in scores.ratios.items()}
        metrics = means | {"loss": scores.loss.item()}  # the differentiated loss, even if a ratio has that name too
        if norm is not None:
            metrics["gradient_norm"] = norm.item()
        named = {f"train/{name}": value for name, value in metrics.items()}
        groups = trainer.optimizers[0].param_groups
        rates = {f"lr/{each.get('name', 'all')}": each["lr"] / each.get("scale", 1.0) for each in groups}
        record(trainer, named | rates)
