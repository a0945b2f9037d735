"""What the model writes while it learns."""

import logging
from collections.abc import Callable
from typing import ClassVar

import lightning as L
from torch import nn

from ...run_directory.directory import write_text
from ...samples import TextCodec
from ..callback import RunCallback
from ..contract import length_of, run_of, run_trainer, tokenizer_of, training_module
from ..devices.sharding import full_model
from ..loggers import show_samples
from ..order import Order

log = logging.getLogger(__name__)

Writer = Callable[[nn.Module, TextCodec, int], str]  # model, tokenizer, longest input -> a text


class Samples(RunCallback):
    """At every validation, writes a text file to samples/ and the same to the dashboards.

    A full disk, and a model or a prompt from which no text can be written, are warnings.
    """

    order: ClassVar[Order] = Order.SHOW

    def __init__(self, writer: Writer):
        self.writer = writer

    def on_validation_end(self, trainer: L.Trainer, module: L.LightningModule) -> None:
        own = training_module(module)
        model = full_model(trainer.strategy, own.model)
        if model is None:
            return
        folder = run_of(trainer).samples
        try:
            text = self.writer(model, tokenizer_of(run_trainer(trainer).datamodule.data), length_of(own.objective))
            folder.mkdir(exist_ok=True)
            write_text(folder / f"step-{trainer.global_step:08d}.txt", text + "\n")
        except (OSError, ValueError) as error:  # also a model that writes no texts: the training goes on
            log.warning("no samples of step %d: %s", trainer.global_step, error)
            return
        show_samples(trainer.loggers, folder, trainer.global_step)
