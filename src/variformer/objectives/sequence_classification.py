"""Classes of texts, or of pairs of texts."""

from collections.abc import Mapping
from typing import Any, ClassVar, Literal

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ..metrics.classification import accuracy, calibration_error, macro_f1, matthews, positive_f1
from ..ranges import BelowOne, Count, Positive
from ..samples import ExampleSplit, LabelledTexts, SizedView, TextExample
from .laid_out_texts import LaidOutTexts
from .objective import Batch, Mode, Ratio, Scores

MOST_LISTED = 20  # classes of which each sample keeps all probabilities
LISTED = 5  # the likeliest, where there are more

# Shapes: B batch, T tokens, K classes, N samples.


class SequenceClassification(LaidOutTexts[TextExample]):
    """Cross entropy of the class of each text (Devlin et al., 2018, section 4.1).

    label_smoothing: how much of a target is spread over all classes (Szegedy et al., 2015, section 7)
    class_weights: a weight for each class in the loss that is differentiated; "balanced": N / (K x its training rows),
        as in scikit-learn; the reported loss is unweighted, so that runs can be compared
    positive: of two classes, the one whose F1 is `f1`; None: the second
    monitor: the metric that says which model is best; None: accuracy
    """

    answers: ClassVar = True
    monitors: ClassVar[Mapping[str, Mode]] = {
        "loss": "min",
        "accuracy": "max",
        "macro_f1": "max",
        "f1": "max",
        "matthews": "max",
        "calibration_error": "min",
    }

    weights: Tensor | None
    monitor = "accuracy"
    mode: Mode = "max"

    def __init__(
        self,
        data: LabelledTexts,
        length: Count,
        *,
        label_smoothing: BelowOne = 0.0,
        class_weights: Literal["balanced"] | dict[str, Positive] | None = None,
        positive: str | None = None,
        monitor: str | None = None,
    ):
        super().__init__(data, length)
        self.compare_by(monitor)
        self.labels, self.label_smoothing = data.labels, label_smoothing
        self.classes = len(self.labels)
        if self.monitor == "f1" and self.classes != 2:
            raise ValueError(
                f"objective.monitor=f1 is that of two classes, not of {self.classes}; set monitor=macro_f1"
            )
        if positive is not None and positive not in self.labels:
            raise ValueError(f"objective.positive={positive} is none of {', '.join(self.labels)} (data.labels)")
        self.positive = 1 if positive is None else self.labels.index(positive)
        weights = weights_of(class_weights, data)
        self.register_buffer("weights", None if weights is None else torch.tensor(weights), persistent=False)

    def view(self, data: ExampleSplit) -> SizedView[TextExample]:
        return data.texts(self.room)

    def collate(self, samples: list[TextExample], keys: np.ndarray, train: bool) -> Batch:
        """-> as `inputs`, and labels (B,), -1 where there is none, which only evaluation allows."""
        labels = torch.tensor([sample["label"] for sample in samples])
        if train and (labels < 0).any():
            raise ValueError("a training row has no label; give it one, or set data.on_bad=skip")
        return self.inputs(samples) | {"labels": labels}

    def forward(self, model: nn.Module, batch: Batch) -> Scores:
        scores = self.scores(model, batch)
        known = batch["labels"] >= 0
        labels = batch["labels"].clamp(min=0)
        nats = F.cross_entropy(scores, labels, reduction="none")
        smoothed = F.cross_entropy(scores, labels, reduction="none", label_smoothing=self.label_smoothing)
        weights = known.float() if self.weights is None else self.weights[labels] * known
        targets, count = weights.sum(), known.sum()
        ratios = {
            "loss": Ratio((nats.detach() * known).sum(), count),
            "accuracy": Ratio(((scores.argmax(-1) == labels) & known).sum(), count),
        }
        losses = smoothed if self.training else nats
        loss = (losses * weights).sum() / targets.clamp(min=torch.finfo(losses.dtype).tiny)
        if self.training:
            return Scores(loss, ratios, targets)
        rows = self.rows(scores, batch["labels"], nats)
        return Scores(loss, ratios, targets, answers=(scores[known], labels[known]), rows=rows)

    def scores(self, model: nn.Module, batch: Batch) -> Tensor:
        """-> (B, K)."""
        found: Tensor = model(batch["tokens"], batch["mask"], batch["segments"])
        return found.float()

    def rows(self, scores: Tensor, labels: Tensor, nats: Tensor) -> dict[str, Tensor]:
        """(B, K), (B,), (B,) -> what `measure` reads of each sample."""
        logarithms = scores.log_softmax(-1)
        highest = logarithms.max(-1)
        rows = {"label": labels, "guess": highest.indices, "confidence": highest.values.exp(), "nats": nats}
        return rows | ({"log_probabilities": logarithms} if len(self.labels) <= MOST_LISTED else {})

    def measure(self, rows: dict[str, np.ndarray]) -> dict[str, float]:
        """Accuracy, macro F1, Matthews' correlation and calibration error; of two classes also the F1 of `positive`."""
        known = rows["label"] >= 0
        labels, guesses, confidences = (rows[name][known] for name in ("label", "guess", "confidence"))
        found = {
            "accuracy": accuracy(labels, guesses),
            "macro_f1": macro_f1(labels, guesses),
            "matthews": matthews(labels, guesses),
            "calibration_error": calibration_error(labels == guesses, confidences),
        }
        return found | ({"f1": positive_f1(labels, guesses, self.positive)} if self.classes == 2 else {})

    def answer(self, model: nn.Module, batch: Batch) -> list[dict[str, Any]]:
        """Of each text the likeliest class and its probability, and the probabilities of others."""
        listed = len(self.labels) if len(self.labels) <= MOST_LISTED else LISTED
        likeliest = self.scores(model, batch).softmax(-1).topk(listed)
        return [
            {
                "label": self.labels[places[0]],
                "score": values[0],
                "scores": {self.labels[place]: value for place, value in zip(places, values, strict=True)},
            }
            for places, values in zip(likeliest.indices.tolist(), likeliest.values.tolist(), strict=True)
        ]


def weights_of(given: Literal["balanced"] | dict[str, float] | None, data: LabelledTexts) -> list[float] | None:
    """The weight of each class in its order. Raises ValueError for classes without a weight, or weights without one."""
    if given is None:
        return None
    if given == "balanced":
        counts = [data.label_counts.get(name, 0) for name in data.labels]
        if 0 in counts:
            missing = data.labels[counts.index(0)]
            raise ValueError(f"objective.class_weights=balanced: no training row is {missing!r}; give weights by name")
        return [sum(counts) / (len(counts) * count) for count in counts]
    assert isinstance(given, dict)
    if wrong := sorted(set(given) ^ set(data.labels)):
        raise ValueError(f"objective.class_weights: give one for each of {', '.join(data.labels)}; wrong: {wrong[0]}")
    return [float(given[name]) for name in data.labels]
