"""Random states in the checkpoint, so that dropout goes on where it was."""

import logging
import random
from typing import ClassVar

import lightning as L
import numpy as np
import torch

from ...randomness import sample_key
from ...ranges import Seed
from ..callback import RunCallback
from ..contract import State
from ..order import Order

log = logging.getLogger(__name__)


class RandomState(RunCallback):
    """Keeps the generators of Python, NumPy and torch of every process, and restores them when a run is resumed.

    A validation leaves the generators as it found them, so that it never changes the training, however often it
    happens. The states are plain data, as safe loading needs. Where the number of processes is another than at the
    save, each process is seeded anew from (seed, rank, step).
    """

    order: ClassVar[Order] = Order.RANDOM

    def __init__(self, seed: Seed):
        self.seed = seed
        self.states: list[State] | None = None
        self.before_validation: State | None = None

    def on_save_checkpoint(self, trainer: L.Trainer, module: L.LightningModule, checkpoint: State) -> None:
        own = self.before_validation or generator_states()
        states = [own] * trainer.world_size
        if trainer.world_size > 1:
            torch.distributed.all_gather_object(states, own)
        checkpoint["random_states"] = states

    def on_load_checkpoint(self, trainer: L.Trainer, module: L.LightningModule, checkpoint: State) -> None:
        self.states = checkpoint.get("random_states")

    def on_train_start(self, trainer: L.Trainer, module: L.LightningModule) -> None:
        """Rank zero of a new run goes on with the generators that made the weights; the others get their own."""
        if self.states is not None and len(self.states) == trainer.world_size:
            restore(self.states[trainer.global_rank])
        elif self.states is not None or trainer.global_rank > 0:
            if self.states is not None and trainer.is_global_zero:
                log.warning(
                    "saved by %d processes and resumed by %d: dropout has other random numbers from here on",
                    *(len(self.states), trainer.world_size),
                )
            key = sample_key(self.seed, trainer.global_step, trainer.global_rank)
            L.seed_everything(key % 2**32, verbose=False)
        self.states = None

    def on_validation_start(self, trainer: L.Trainer, module: L.LightningModule) -> None:
        self.before_validation = generator_states()

    def on_validation_end(self, trainer: L.Trainer, module: L.LightningModule) -> None:
        self.leave_validation(module)

    def leave_validation(self, module: L.LightningModule) -> None:
        if self.before_validation is not None:
            restore(self.before_validation)
        self.before_validation = None


def generator_states() -> State:
    kind, keys, *rest = np.random.get_state()
    return {
        "python": random.getstate(),
        "numpy": (kind, np.asarray(keys).tolist(), *rest),
        "torch": torch.get_rng_state(),
        "cuda": torch.cuda.get_rng_state() if torch.cuda.is_available() else None,
    }


def restore(states: State) -> None:
    version, inner, gauss = states["python"]
    random.setstate((version, tuple(inner), gauss))
    kind, keys, *rest = states["numpy"]
    np.random.set_state((kind, np.array(keys, dtype=np.uint32), *rest))
    torch.set_rng_state(states["torch"].cpu())
    if states["cuda"] is not None and torch.cuda.is_available():
        torch.cuda.set_rng_state(states["cuda"].cpu())
