"""How fast training runs, and how well it uses the machine."""

import time
from typing import Any

import lightning as L
import torch
from lightning import Callback

from ...analysis.cost import peak_flops, training_flops
from ..record import record
from .curves import logs_now


class Throughput(Callback):
    """Tokens or images per second, the share of time spent waiting for data, and model FLOPs utilisation.

    FLOPs are those of the matrix products of one forward and backward pass (Chowdhery et al., 2022, "PaLM", appendix
    B), counted on the first batch; the peak is that of one large product, timed on this device when training starts.
    """

    def __init__(self) -> None:
        self.seen = 0
        self.flops_spent = 0.0
        self.flops_per_batch: float | None = None
        self.peak = 0.0
        self.since = self.ended = time.perf_counter()
        self.counted, self.batches, self.waited = 0, 0, 0.0

    def on_train_start(self, trainer: L.Trainer, module: Any) -> None:
        self.peak = peak_flops(module.device, _dtype(trainer)) * trainer.world_size
        self.restart()

    def on_train_batch_start(self, trainer: L.Trainer, module: Any, batch: Any, batch_idx: int) -> None:
        self.waited += time.perf_counter() - self.ended
        if self.flops_per_batch is None:
            began = time.perf_counter()
            self.flops_per_batch = training_flops(module.model, module.objective, batch)
            self.since += time.perf_counter() - began

    def on_train_batch_end(self, trainer: L.Trainer, module: Any, outputs: Any, batch: Any, batch_idx: int) -> None:
        self.counted += batch["count"] * trainer.world_size
        self.batches += trainer.world_size
        if logs_now(trainer, batch_idx):
            self.report(trainer, module.objective.unit)
        self.ended = time.perf_counter()

    def on_validation_start(self, trainer: L.Trainer, module: Any) -> None:
        self.paused = time.perf_counter()

    def on_validation_end(self, trainer: L.Trainer, module: Any) -> None:
        away = time.perf_counter() - self.paused
        self.since, self.ended = self.since + away, self.ended + away

    def report(self, trainer: L.Trainer, unit: str) -> None:
        elapsed = max(time.perf_counter() - self.since, 1e-9)
        flops = (self.flops_per_batch or 0.0) * self.batches
        self.seen += self.counted
        self.flops_spent += flops
        self.speed = self.counted / elapsed
        record(
            trainer,
            {
                f"speed/{unit}_per_second": self.speed,
                "speed/waiting_for_data": self.waited / elapsed,
                "speed/model_flops_utilisation": flops / elapsed / self.peak,
                f"spent/{unit}": self.seen,
                "spent/flops": self.flops_spent,
            },
        )
        self.restart()

    def restart(self) -> None:
        self.since = self.ended = time.perf_counter()
        self.counted, self.batches, self.waited = 0, 0, 0.0

    def state_dict(self) -> dict[str, Any]:
        return {"seen": self.seen, "flops_spent": self.flops_spent}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        self.seen, self.flops_spent = state["seen"], state["flops_spent"]


def _dtype(trainer: L.Trainer) -> torch.dtype:
    kinds = {"16": torch.float16, "bf": torch.bfloat16}
    return kinds.get(str(trainer.precision)[:2], torch.float32)
