"""What the model writes while it learns."""

from collections.abc import Callable
from typing import Any

import lightning as L
from lightning import Callback
from torch import nn

from ..loggers import log_text
from ..run_directory import RunDirectory

Writer = Callable[[nn.Module, Any, int], str]  # model, tokenizer, longest input


class Samples(Callback):
    """At every validation, a text file in samples/, and the same to the loggers that take text."""

    def __init__(self, writer: Writer):
        self.writer = writer

    def on_validation_end(self, trainer: L.Trainer, module: Any) -> None:
        if trainer.state.fn != "fit" or trainer.sanity_checking or not trainer.is_global_zero:
            return
        text = self.writer(module.model, trainer.datamodule.data.tokenizer, module.objective.length)  # type: ignore[attr-defined]
        folder = RunDirectory(trainer.default_root_dir).samples
        folder.mkdir(exist_ok=True)
        (folder / f"step-{trainer.global_step:08d}.txt").write_text(text + "\n")
        for logger in trainer.loggers:
            log_text(logger, "samples", text, trainer.global_step)
