"""What the model writes while it learns."""

from collections.abc import Callable
from typing import Any

import lightning as L
from lightning import Callback
from torch import nn

from ..loggers import show_samples
from ..run_directory import RunDirectory
from ..sharding import whole_model

Writer = Callable[[nn.Module, Any, int], str]  # model, tokenizer, longest input


class Samples(Callback):
    """At every validation, a text file in samples/, and the same to the dashboards."""

    def __init__(self, writer: Writer):
        self.writer = writer

    def on_validation_end(self, trainer: L.Trainer, module: Any) -> None:
        model = whole_model(trainer.strategy, module.model)
        if not trainer.is_global_zero:
            return
        text = self.writer(model, trainer.datamodule.data.tokenizer, module.objective.length)  # type: ignore[attr-defined]
        folder = RunDirectory(trainer.default_root_dir).samples
        folder.mkdir(exist_ok=True)
        (folder / f"step-{trainer.global_step:08d}.txt").write_text(text + "\n", encoding="utf-8")
        show_samples(trainer.loggers, folder, trainer.global_step)
