"""How fast training runs, how well it uses the machine, and what it has spent."""

import time
from typing import ClassVar

import lightning as L
import torch
from lightning.pytorch.utilities.types import STEP_OUTPUT

from ...analysis.cost import model_flops, peak_flops
from ...objectives.objective import Batch
from ..callback import RunCallback
from ..contract import State, training_module
from ..devices.sharding import unsharded_outline
from ..order import Order
from ..record import record
from ..steps import step_is_logged


class Throughput(RunCallback):
    """Tokens or images per second, the fraction of time spent waiting for data, and model FLOPs utilisation.

    FLOPs are the model's own in one forward and backward pass (`analysis.cost.model_flops`): neither checkpointing nor
    a teacher adds to them. They are counted on the run's first batch. The peak is that of one large matrix product,
    timed when a process first trains on this device. What was seen and spent is logged with every loss, also of a
    validation, so that a loss can be plotted over it.
    """

    order: ClassVar[Order] = Order.MEASURE

    def __init__(self) -> None:
        self.seen, self.flops_spent = 0, 0.0
        self.flops_per_sample: float | None = None
        self.peak = self.speed = 0.0
        self.paused: float | None = None
        self.since = self.ended = time.perf_counter()
        self.recent, self.recent_flops, self.waited = 0, 0.0, 0.0

    def on_train_start(self, trainer: L.Trainer, module: L.LightningModule) -> None:
        self.peak = peak_flops(module.device, dtype_of(trainer)) * trainer.world_size
        self.restart()

    def on_train_batch_start(self, trainer: L.Trainer, module: L.LightningModule, batch: Batch, batch_idx: int) -> None:
        now = time.perf_counter()
        if self.paused is None:
            self.waited += now - self.ended
        else:
            self.since, self.paused = self.since + now - self.paused, None
        if self.flops_per_sample is None:
            own = training_module(module)
            flops = model_flops(unsharded_outline(trainer.strategy, own.model), own.objective, batch)
            self.flops_per_sample = flops / len(batch["index"])
            self.since += time.perf_counter() - now

    def on_train_batch_end(
        self, trainer: L.Trainer, module: L.LightningModule, outputs: STEP_OUTPUT, batch: Batch, batch_idx: int
    ) -> None:
        count = batch["count"] * trainer.world_size
        flops = (self.flops_per_sample or 0.0) * len(batch["index"]) * trainer.world_size
        self.seen, self.flops_spent = self.seen + count, self.flops_spent + flops
        self.recent, self.recent_flops = self.recent + count, self.recent_flops + flops
        if step_is_logged(trainer, batch_idx):
            self.report(trainer, training_module(module).objective.unit)
        self.ended = time.perf_counter()

    def on_validation_start(self, trainer: L.Trainer, module: L.LightningModule) -> None:
        """Stop the clock until the next batch: samples and checkpoints follow a validation."""
        self.paused = time.perf_counter()

    def on_validation_end(self, trainer: L.Trainer, module: L.LightningModule) -> None:
        record(trainer, self.spent(training_module(module).objective.unit))

    def report(self, trainer: L.Trainer, unit: str) -> None:
        elapsed = max(time.perf_counter() - self.since, 1e-9)
        self.speed = self.recent / elapsed
        speeds = {
            f"speed/{unit}_per_second": self.speed,
            "speed/waiting_for_data": self.waited / elapsed,
            "speed/model_flops_utilisation": self.recent_flops / elapsed / self.peak,
        }
        record(trainer, speeds | self.spent(unit))
        self.restart()

    def bar_note(self, module: L.LightningModule) -> str:
        return f"{self.speed:,.0f} {training_module(module).objective.unit}/s" if self.speed else ""

    def spent(self, unit: str) -> dict[str, float]:
        return {f"spent/{unit}": self.seen, "spent/flops": self.flops_spent}

    def restart(self) -> None:
        self.since = self.ended = time.perf_counter()
        self.recent, self.recent_flops, self.waited = 0, 0.0, 0.0

    def state_dict(self) -> State:
        return {"seen": self.seen, "flops_spent": self.flops_spent, "model_flops_per_sample": self.flops_per_sample}

    def load_state_dict(self, state: State) -> None:
        self.seen, self.flops_spent = state["seen"], state["flops_spent"]
        self.flops_per_sample = state.get("model_flops_per_sample")  # older runs counted otherwise: counted anew


def dtype_of(trainer: L.Trainer) -> torch.dtype:
    """The data type in which the trainer's precision computes."""
    kinds = {"16": torch.float16, "bf": torch.bfloat16}
    return kinds.get(str(trainer.precision)[:2], torch.float32)
