"""When an optimizer step is complete, when it is logged, and when a validation follows it."""

import lightning as L

from .contract import run_trainer


def step_is_complete(trainer: L.Trainer, batch_idx: int) -> bool:
    """Whether this micro batch ended an optimizer step."""
    return (batch_idx + 1) % trainer.accumulate_grad_batches == 0


def step_is_logged(trainer: L.Trainer, batch_idx: int) -> bool:
    """Whether this micro batch ended a step whose numbers go to the curves."""
    return step_is_complete(trainer, batch_idx) and trainer.global_step % run_trainer(trainer).log_every_n_steps == 0


def validation_is_due(trainer: L.Trainer) -> bool:
    """Whether the training loop validates after this step."""
    return trainer.global_step * trainer.accumulate_grad_batches % trainer.val_check_interval == 0
