"""One way to put numbers on the curves."""

import lightning as L


def record(trainer: L.Trainer, metrics: dict[str, float]) -> None:
    """Send numbers to every logger, at the number of optimizer steps taken so far."""
    if trainer.is_global_zero and not trainer.sanity_checking:
        for logger in trainer.loggers:
            logger.log_metrics(metrics, step=trainer.global_step)
