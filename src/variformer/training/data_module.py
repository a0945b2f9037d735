"""The LightningDataModule: loaders over an objective's views, and the data's position as one integer."""

from collections.abc import Sequence
from functools import cached_property
from typing import Any

import lightning as L
import numpy as np
from torch.utils.data import DataLoader

from ..data.contracts import DataSet, Split
from ..data.loader import Collator, Keyed, end_workers, loader
from ..data.mixture import MixedView
from ..data.order import BatchPart, EvaluationOrder, InTurn, RepeatedBatch, TrainingOrder, chosen_indices, longest_first
from ..data.shuffles import Bucketed, Mixed, Plain, Shuffle
from ..objectives.objective import Batch, Objective
from ..samples import View


class DataModule(L.LightningDataModule):
    """The loaders of a data set's splits, which the objective reads and collates.

    The global batch is what all devices see in one optimizer step. A device takes `micro_batch` samples at a time.
    A validation takes `validation_samples` from the whole split: the same ones for any batches and devices.
    Where samples have lengths, those of a global batch have like ones: `buckets` batches are sorted together; 1: none.
    """

    training_order = TrainingOrder

    def __init__(
        self,
        data: DataSet[Any],
        objective: Objective,
        *,
        seed: int,
        global_batch: int,
        micro_batch: int,
        eval_batch: int,
        max_steps: int,
        validation_samples: int | None = None,
        workers: int = 0,
        buckets: int = 50,
    ):
        super().__init__()
        self.data, self.objective, self.seed = data, objective, seed
        self.global_batch, self.micro_batch, self.eval_batch = global_batch, micro_batch, eval_batch
        self.max_steps, self.validation_samples, self.workers = max_steps, validation_samples, workers
        self.start, self.buckets = 0, buckets

    def train_dataloader(self) -> DataLoader:
        order = self.training_order(
            len(self.training_view),
            seed=self.seed,
            batch=self.global_batch,
            steps=self.max_steps,
            part=self.part(self.micro_batch),
            start=self.start,
            shuffle=self.shuffle,
        )
        return self.loader(self.training_view, order)

    @cached_property
    def shuffle(self) -> Shuffle:
        """The order within each pass over the training split."""
        plain: Shuffle = Plain(len(self.training_view), self.seed)
        if isinstance(self.training_view, MixedView):
            plain = Mixed(self.training_view.sizes, self.training_view.shares, self.seed)
        lengths = lengths_of(self.training_view)
        if lengths is None or self.buckets == 1:
            return plain
        return Bucketed(plain, lengths, self.global_batch, self.buckets)

    def val_dataloader(self) -> DataLoader:
        return self.evaluation_loader("val", self.validation_samples)

    def test_dataloader(self) -> DataLoader:
        return self.evaluation_loader("test")

    def evaluation_loader(self, split: Split, limit: int | None = None) -> DataLoader:
        view = self.view(split)
        lengths, indices = lengths_of(view), chosen_indices(len(view), limit)
        indices = indices if lengths is None else longest_first(indices, lengths)
        part = self.part(self.eval_batch)
        if not isinstance(view, MixedView):
            return self.loader(view, EvaluationOrder(indices, part))
        return self.loader(view, InTurn([EvaluationOrder(each, part) for each in view.by_part(indices)]))

    @cached_property
    def training_view(self) -> View[Any]:
        """The view of the training split. It is built once, because that takes time and memory for a large corpus."""
        return self.view("train")

    def view(self, split: Split) -> View[Any]:
        view = self.objective.view(self.data.split(split))
        if len(view) == 0:
            raise ValueError(f"the {split} split has no samples: give it more documents, or use a shorter length")
        return view

    def example(self) -> Batch:
        """A batch of one training sample."""
        return self.batch_of([0])

    def longest(self, samples: int) -> Batch | None:
        """A batch of so many training samples, none shorter than another one; None where samples have no lengths."""
        lengths = lengths_of(self.training_view)
        if lengths is None:
            return None
        order = longest_first(range(len(lengths)), lengths)
        return self.batch_of([order[place % len(order)] for place in range(samples)])

    def batch_of(self, indices: Sequence[int]) -> Batch:
        """A batch of these training samples, as in the first epoch."""
        view = Keyed(self.training_view, self.seed)
        return Collator(self.objective.collate, train=True)([view[0, index] for index in indices])

    def on_exception(self, exception: BaseException) -> None:
        end_workers()

    def loader(self, view: View[Any], order: TrainingOrder | EvaluationOrder | InTurn) -> DataLoader:
        pin = self.trainer is not None and self.trainer.strategy.root_device.type == "cuda"
        return loader(view, order, self.objective.collate, seed=self.seed, workers=self.workers, pin_memory=pin)

    def part(self, micro: int) -> BatchPart:
        if self.trainer is None:
            return BatchPart(micro)
        return BatchPart(micro, self.trainer.global_rank, self.trainer.world_size)

    def state_dict(self) -> dict[str, Any]:
        seen = self.trainer.global_step * self.global_batch if self.trainer is not None else self.start
        return {"samples_seen": seen} | self.identity()

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Raises ValueError where the saved position belongs to another order of samples."""
        for name, ours in self.identity().items():
            if state.get(name, ours) != ours:
                raise ValueError(
                    f"the checkpoint was written with {name}={state[name]}, and this run has {ours}: "
                    "samples would be repeated or skipped. Resume with the same, or start a new run"
                )
        self.start = state["samples_seen"]

    def identity(self) -> dict[str, Any]:
        """What the order of samples depends on. The number of samples also depends on the length of texts."""
        data = {"data": self.data.fingerprint, "samples": len(self.training_view)}
        order = {"buckets": self.buckets} if isinstance(self.shuffle, Bucketed) else {}
        return {"seed": self.seed, "global_batch": self.global_batch} | data | order


def lengths_of(view: View[Any]) -> np.ndarray | None:
    """(N,) tokens of each sample; None where all have the same."""
    return getattr(view, "lengths", None)


class OneBatch(DataModule):
    """Trains on the same batch at every step."""

    training_order = RepeatedBatch
