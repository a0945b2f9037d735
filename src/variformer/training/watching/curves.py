"""The training curves: losses, learning rates, gradient norm."""

from typing import Any, ClassVar

import lightning as L
from lightning import Callback

from ..order import Order
from ..record import record


class Curves(Callback):
    """Every `trainer.log_every` steps, of the last batch alone: between them nothing waits for the device."""

    order: ClassVar[Order] = Order.SHOW

    def on_train_batch_end(self, trainer: L.Trainer, module: Any, outputs: Any, batch: Any, batch_idx: int) -> None:
        if not logs_now(trainer, batch_idx):
            return
        scores = module.latest
        means = {name: (ratio.total / ratio.count).item() for name, ratio in scores.ratios.items()}
        metrics = means | {"loss": scores.loss.item()}  # the loss that is differentiated, whatever the task calls so
        if module.gradient_norm is not None:
            metrics["gradient_norm"] = module.gradient_norm.item()
        named = {f"train/{name}": value for name, value in metrics.items()}
        rates = {f"lr/{group.get('name', 'all')}": group["lr"] for group in trainer.optimizers[0].param_groups}
        record(trainer, named | rates)


def logs_now(trainer: L.Trainer, batch_idx: int) -> bool:
    """Whether this micro batch ended a step that is to be logged."""
    every = trainer.log_every_n_steps  # type: ignore[attr-defined]
    return steps_now(trainer, batch_idx) and trainer.global_step % every == 0


def steps_now(trainer: L.Trainer, batch_idx: int) -> bool:
    """Whether this micro batch ended an optimizer step."""
    return (batch_idx + 1) % trainer.accumulate_grad_batches == 0
