"""From a view and an order to a loader of batches."""

import signal
from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from torch.utils.data import DataLoader, Dataset

from ..randomness import sample_key
from .order import EvaluationOrder, Index, TrainingOrder

Collate = Callable[[list[dict[str, Any]], np.ndarray, bool], dict[str, Any]]


class Keyed(Dataset):
    """A view whose samples are asked for by (epoch, index) and come with the key of their randomness."""

    def __init__(self, view: Any, seed: int):
        self.view, self.seed = view, seed

    def __getitem__(self, index: Index) -> dict[str, Any]:
        key = sample_key(self.seed, *index)
        return {**self.view.sample(index[1], key), "epoch": index[0], "index": index[1], "key": key}


class Collator:
    """Calls the objective's `collate` and adds which samples the batch is made of."""

    def __init__(self, collate: Collate, train: bool):
        self.collate, self.train = collate, train

    def __call__(self, samples: list[dict[str, Any]]) -> dict[str, Any]:
        keys = np.array([sample["key"] for sample in samples], dtype=np.uint64)
        names = {name: [sample[name] for sample in samples] for name in ("epoch", "index")}
        return {**self.collate(samples, keys, self.train), **names}


def loader(
    view: Any,
    order: TrainingOrder | EvaluationOrder,
    collate: Collate,
    *,
    seed: int,
    workers: int = 0,
    pin_memory: bool = False,
) -> DataLoader:
    """An ordinary DataLoader: all that is special lies in the order and in the keys.

    In evaluation the corruption of each sample is the same every time, whatever the run's seed.
    """
    train = isinstance(order, TrainingOrder)
    return DataLoader(
        Keyed(view, seed if train else 0),
        batch_sampler=order,  # type: ignore[arg-type]
        collate_fn=Collator(collate, train),
        num_workers=workers,
        pin_memory=pin_memory,
        persistent_workers=workers > 0,
        worker_init_fn=outlive_signals,
        generator=torch.Generator(),  # seeds the workers, who do not use it; the global generator is left alone
    )


def outlive_signals(worker: int) -> None:
    """What tells a whole group of processes to stop is for the trainer, which still needs its workers to do so."""
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
