"""Random states in the checkpoint, so that dropout goes on where it was."""

import random
from typing import Any

import lightning as L
import numpy as np
import torch
from lightning import Callback


class RandomState(Callback):
    """Python, NumPy and torch generators of every process, restored when a resumed training starts.

    Plain data alone, as safe loading demands. With another number of processes than at the save each is seeded anew
    from (seed, rank, step).
    """

    def __init__(self, seed: int):
        self.seed = seed
        self.states: list[dict[str, Any]] | None = None

    def on_save_checkpoint(self, trainer: L.Trainer, module: Any, checkpoint: dict[str, Any]) -> None:
        states: list[Any] = [None] * trainer.world_size
        if trainer.world_size > 1:
            torch.distributed.all_gather_object(states, generator_states())
        else:
            states = [generator_states()]
        checkpoint["random_states"] = states

    def on_load_checkpoint(self, trainer: L.Trainer, module: Any, checkpoint: dict[str, Any]) -> None:
        self.states = checkpoint.get("random_states")

    def on_train_start(self, trainer: L.Trainer, module: Any) -> None:
        if self.states is None:
            return
        if len(self.states) == trainer.world_size:
            restore(self.states[trainer.global_rank])
        else:
            L.seed_everything(self.seed + 1000003 * (trainer.global_step + 1) + trainer.global_rank, verbose=False)
        self.states = None


def generator_states() -> dict[str, Any]:
    kind, keys, *rest = np.random.get_state()
    return {
        "python": random.getstate(),
        "numpy": (kind, np.asarray(keys).tolist(), *rest),
        "torch": torch.get_rng_state(),
        "cuda": torch.cuda.get_rng_state() if torch.cuda.is_available() else None,
    }


def restore(states: dict[str, Any]) -> None:
    version, inner, gauss = states["python"]
    random.setstate((version, tuple(inner), gauss))
    kind, keys, *rest = states["numpy"]
    np.random.set_state((kind, np.array(keys, dtype=np.uint32), *rest))
    torch.set_rng_state(states["torch"].cpu())
    if states["cuda"] is not None and torch.cuda.is_available():
        torch.cuda.set_rng_state(states["cuda"].cpu())
