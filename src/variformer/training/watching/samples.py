"""What the model writes while it learns."""

import logging
from collections.abc import Callable
from typing import Any, ClassVar

import lightning as L
from lightning import Callback
from torch import nn

from ...run_directory.directory import RunDirectory, write_text
from ..devices.sharding import whole_model
from ..loggers import show_samples
from ..order import Order

log = logging.getLogger(__name__)

Writer = Callable[[nn.Module, Any, int], str]  # model, tokenizer, longest input


class Samples(Callback):
    """At every validation, a text file in samples/, and the same to the dashboards. Done without on a full disk."""

    order: ClassVar[Order] = Order.SHOW

    def __init__(self, writer: Writer):
        self.writer = writer

    def on_validation_end(self, trainer: L.Trainer, module: Any) -> None:
        model = whole_model(trainer.strategy, module.model)
        if model is None:
            return
        text = self.writer(model, trainer.datamodule.data.tokenizer, module.objective.length)  # type: ignore[attr-defined]
        folder = RunDirectory(trainer.default_root_dir).samples
        try:
            folder.mkdir(exist_ok=True)
            write_text(folder / f"step-{trainer.global_step:08d}.txt", text + "\n")
        except OSError as error:
            log.warning("no samples of step %d: %s", trainer.global_step, error)
            return
        show_samples(trainer.loggers, folder, trainer.global_step)
