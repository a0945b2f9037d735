"""What a model is trained to do: from the data of one split to a loss, and to what is worth a curve."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Generic, Literal, NamedTuple, TypeVar

import numpy as np
from torch import Tensor, nn

from ..ranges import Count
from ..samples import ExampleSplit, ImageCatalogue, ImageSample, LabelledTexts, TextSplit, View, Vocabulary

SplitT = TypeVar("SplitT")  # one split of the data, as `view` takes it
SampleT = TypeVar("SampleT")  # what a view gives, and `collate` takes
Mode = Literal["min", "max"]  # whether less or more of a metric is better
Batch = dict[str, Any]  # what `collate` makes for `forward`: tensors; "count" says how many tokens or images they hold


@dataclass(frozen=True)
class Ratio:
    """A mean that can be summed exactly over batches and devices: a total, and what it is a total of."""

    total: Tensor
    count: Tensor


class Scores(NamedTuple):
    """What an objective says of a batch.

    loss: (), what is differentiated
    ratios: what is reported, by name; the objective's `monitor` is among them, or comes from `derive` or `measure`
    targets: (), how many targets the loss is the mean over, where batches of one size differ in that
    answers: in evaluation, (N, K) scores and (N,) labels for the metrics of torchmetrics
    rows: in evaluation, numbers of each sample by name, (B, ...), in the order of the batch; for `measure`
    """

    loss: Tensor
    ratios: dict[str, Ratio]
    targets: Tensor | None = None
    answers: tuple[Tensor, Tensor] | None = None
    rows: dict[str, Tensor] | None = None


class Objective(nn.Module, Generic[SplitT, SampleT]):
    """A training task. It knows how to read data and how to call a model, and owns neither.

    trains: the `kind` of model that it trains, reads: "text" or "images"; a config in which these do not fit is refused
    unfit: values of a model's arguments that it cannot train with
    answers: whether its scores have `answers`, so that a config may name metrics of torchmetrics
    classes: how many classes it tells apart; a head for a task is built with as many
    monitor, mode: the validation metric that says which model is best, and whether less or more of it is better
    monitors: the metrics that a config may name in place of `monitor`, each with its mode; see `compare_by`
    unit: what a throughput of this task counts
    multiple: batches of unequal texts are padded to a multiple of so many tokens; a compiled model has a larger one
    """

    trains: ClassVar[str | None] = None
    reads: ClassVar[str | None] = None
    unfit: ClassVar[Mapping[str, tuple[int, ...]]] = {}
    answers: ClassVar[bool] = False
    monitors: ClassVar[Mapping[str, Mode]] = {}

    classes: int | None = None
    monitor: str = "loss"
    mode: Mode = "min"
    unit: str = "tokens"
    multiple: int = 8

    def compare_by(self, monitor: str | None) -> None:
        """Compare models by this metric; None: by the one that the class names.

        A subclass whose `__init__` has the argument `monitor` passes it on. Raises ValueError for a name that is not in
        `monitors`.
        """
        if monitor is None:
            return
        if monitor not in self.monitors:
            known = ", ".join(self.monitors) or "none"
            raise ValueError(f"objective.monitor={monitor}: {type(self).__name__} compares models by: {known}")
        self.monitor, self.mode = monitor, self.monitors[monitor]

    def initialise(self, model: nn.Module) -> None:
        """Change a new model before its first step; most objectives do nothing. Not called on resume.

        Raises ValueError if the model cannot learn this task.
        """

    def view(self, data: SplitT) -> View[SampleT]:
        """The samples of one split, in the form that `collate` takes."""
        raise NotImplementedError

    def collate(self, samples: list[SampleT], keys: np.ndarray, train: bool) -> Batch:
        """Samples and a (B,) key for the randomness of each -> a batch; runs in the loader's workers.

        The same samples and keys give the same batch: all random numbers come from `keys` (`variformer.randomness`).
        """
        raise NotImplementedError

    def forward(self, model: nn.Module, batch: Batch) -> Scores:
        """Apply the model to a batch, on its device."""
        raise NotImplementedError

    def derive(self, means: dict[str, float]) -> dict[str, float]:
        """Metrics computed from the means over a whole split, such as perplexity from the loss."""
        return {}

    def answer(self, model: nn.Module, batch: Batch) -> list[dict[str, Any]]:
        """What the model says of each sample, as plain values by name: a line of `variformer predict`."""
        raise NotImplementedError(f"{type(self).__name__} has no answers to single samples")

    def measure(self, rows: dict[str, np.ndarray]) -> dict[str, float]:
        """Metrics computed from the rows of a whole split, (N, ...), in order of the samples' indices, such as F1.

        It must be a function of the rows alone: intervals call it with samples drawn from them, some more than once.
        Of a name that `ratios` or `derive` give too, theirs is reported.
        """
        return {}


class TextObjective(Objective[TextSplit, SampleT]):
    """A task on text.

    vocabulary: the ids of the tokenizer's special tokens, and facts about all tokens
    length: the most tokens of a sample that the model reads
    """

    reads: ClassVar = "text"

    def __init__(self, vocabulary: Vocabulary, length: Count):
        super().__init__()
        self.vocabulary, self.length = vocabulary, length


class ExampleObjective(Objective[ExampleSplit, SampleT]):
    """A task on labelled examples.

    data: the tokenizer, the names of the classes, and which fields there are
    length: the most tokens of a sample that the model reads
    """

    reads: ClassVar = "examples"
    unit = "examples"

    def __init__(self, data: LabelledTexts, length: Count):
        super().__init__()
        self.vocabulary, self.length = data.tokenizer, length


class ImageObjective(Objective[View[ImageSample], ImageSample]):
    """A task on images with one label each.

    length: not used; every objective is built with (data, length)
    """

    reads: ClassVar = "images"
    unit = "images"
    classes: int

    def __init__(self, data: ImageCatalogue, length: Count | None = None):
        super().__init__()
        self.classes = data.classes

    def view(self, data: View[ImageSample]) -> View[ImageSample]:
        return data
