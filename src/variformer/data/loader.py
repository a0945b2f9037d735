"""From a view and an order to a loader of batches."""

import signal
from collections.abc import Callable, Mapping
from multiprocessing import active_children
from multiprocessing.util import Finalize
from threading import current_thread, main_thread
from typing import Any, Generic, TypeVar, cast

import numpy as np
import torch
from torch.utils.data import DataLoader, Dataset

from ..parent import on_death_of_parent
from ..randomness import sample_key
from ..ranges import Seed
from ..samples import View
from .order import EvaluationOrder, Index, InTurn, TrainingOrder

Batch = dict[str, Any]
KeyedSample = dict[str, Any]  # a sample of a view, with its "epoch", "index" and "key"
SampleT = TypeVar("SampleT", bound=Mapping[str, object])
Collate = Callable[[list[SampleT], np.ndarray, bool], Batch]


class Keyed(Dataset[KeyedSample]):
    """A view as a dataset: by (epoch, index), samples with the key of their random numbers."""

    def __init__(self, view: View[Mapping[str, object]], seed: Seed):
        self.view, self.seed = view, seed

    def __getitem__(self, index: Index) -> KeyedSample:
        key = sample_key(self.seed, *index)
        return {**self.view.sample(index[1], key), "epoch": index[0], "index": index[1], "key": key}


class Collator(Generic[SampleT]):
    """Calls the objective's `collate` and adds which samples the batch is made of."""

    def __init__(self, collate: Collate[SampleT], train: bool):
        self.collate, self.train = collate, train

    def __call__(self, samples: list[KeyedSample]) -> Batch:
        keys = np.array([sample["key"] for sample in samples], dtype=np.uint64)
        known = ("epoch", "index", "part") if "part" in samples[0] else ("epoch", "index")
        names = {name: [sample[name] for sample in samples] for name in known}
        return {**self.collate(cast(list[SampleT], samples), keys, self.train), **names}


def loader(
    view: View[SampleT],
    order: TrainingOrder | EvaluationOrder | InTurn,
    collate: Collate[SampleT],
    *,
    seed: int,
    workers: int = 0,
    pin_memory: bool = False,
) -> DataLoader:
    """An ordinary DataLoader over an order of samples, each with the key of its random numbers.

    In evaluation, each sample is corrupted in the same way every time, and for every seed of a run.
    """
    train = isinstance(order, TrainingOrder)
    if workers:
        Finalize(None, end_workers, exitpriority=0)
    return DataLoader(
        Keyed(view, seed if train else 0),
        batch_sampler=order,
        collate_fn=Collator(collate, train),
        num_workers=workers,
        pin_memory=pin_memory,
        persistent_workers=workers > 0,
        worker_init_fn=follow_the_trainer,
        generator=torch.Generator(),  # else the global generator would seed the workers, and advance
    )


def follow_the_trainer(worker: int) -> None:
    """A worker ends when its trainer ends.

    It ignores SIGTERM, which a group of processes gets and the trainer answers. When the trainer is killed, the worker
    ends at once: it holds the connections to other ranks, which would wait for as long as it does.
    """
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    on_death_of_parent(signal.SIGKILL)


def end_workers() -> None:
    """Kill this process's workers before it exits, or after an error. Workers that hang would not answer SIGTERM.

    PyTorch raises an error when a worker ends; its handler of SIGCHLD is switched off meanwhile.
    """
    workers = [child for child in active_children() if child.daemon]
    before = signal.signal(signal.SIGCHLD, signal.SIG_DFL) if current_thread() is main_thread() else None
    for worker in workers:
        worker.kill()
    for worker in workers:
        worker.join()
    if before is not None:
        signal.signal(signal.SIGCHLD, before)
