"""The loss scale that fp16 needs."""

import lightning as L
from lightning.pytorch.plugins.precision import MixedPrecision
from torch.amp import GradScaler


def loss_scaler(trainer: L.Trainer) -> GradScaler | None:
    """The scaler of fp16; None with any other precision."""
    precision = trainer.precision_plugin
    return precision.scaler if isinstance(precision, MixedPrecision) else None
