"""Where the time of a few steps goes."""

from typing import ClassVar

import lightning as L
from lightning.pytorch.utilities.types import STEP_OUTPUT
from torch.profiler import ProfilerActivity, profile, schedule, tensorboard_trace_handler

from ...objectives.objective import Batch
from ...ranges import Count, Whole
from ..callback import RunCallback
from ..contract import run_of
from ..order import Order
from ..steps import step_is_complete


class Profile(RunCallback):
    """Records `steps` steps, after `wait` and one more to warm up, and prints which operations took longest.

    profile/*.pt.trace.json.gz in the run directory opens at https://ui.perfetto.dev, and in TensorBoard with its
    profiler plugin. With several devices, the first is recorded.
    """

    order: ClassVar[Order] = Order.SHOW

    def __init__(self, *, wait: Whole = 3, steps: Count = 3, rows: Count = 15):
        if wait < 0 or steps < 1:
            raise ValueError(f"wait={wait}, steps={steps}: a profile records at least one step, after none or more")
        self.wait, self.steps, self.rows = wait, steps, rows
        self.profiler: profile | None = None

    def on_train_start(self, trainer: L.Trainer, module: L.LightningModule) -> None:
        if not trainer.is_global_zero:
            return
        on_gpu = module.device.type == "cuda"
        folder = run_of(trainer).path / "profile"
        self.write = tensorboard_trace_handler(str(folder), "training", use_gzip=True)
        self.profiler = profile(
            activities=[ProfilerActivity.CPU, *[ProfilerActivity.CUDA] * on_gpu],
            schedule=schedule(wait=self.wait, warmup=1, active=self.steps, repeat=1),
            on_trace_ready=self.show,
            record_shapes=True,
            profile_memory=True,
        )
        self.profiler.start()

    def on_train_batch_end(
        self, trainer: L.Trainer, module: L.LightningModule, outputs: STEP_OUTPUT, batch: Batch, batch_idx: int
    ) -> None:
        if self.profiler is not None and step_is_complete(trainer, batch_idx):
            self.profiler.step()

    def on_train_end(self, trainer: L.Trainer, module: L.LightningModule) -> None:
        self.stop()

    def on_exception(self, trainer: L.Trainer, module: L.LightningModule, exception: BaseException) -> None:
        self.stop()

    def show(self, profiler: profile) -> None:
        self.write(profiler)
        on_gpu = ProfilerActivity.CUDA in profiler.activities
        order = "self_cuda_time_total" if on_gpu else "self_cpu_time_total"
        print(profiler.key_averages().table(sort_by=order, row_limit=self.rows, max_name_column_width=40))

    def stop(self) -> None:
        if self.profiler is not None:
            self.profiler.stop()
            self.profiler = None
