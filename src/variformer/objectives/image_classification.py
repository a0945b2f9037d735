"""Image classification: one class for each image."""

from collections.abc import Mapping
from typing import ClassVar

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ..metrics.classification import accuracy, calibration_error, macro_f1, matthews, share
from ..ranges import Count, NotNegative, Probability
from ..samples import ImageCatalogue, ImageSample
from .objective import Batch, ImageObjective, Mode, Ratio, Scores

KEPT_CLASSES = 20  # of more, the rows leave out the probabilities
NO_LABEL = -1  # of a place in a batch that holds no image: an unreadable one, in evaluation

# Shapes: B batch, C channels, S side of an image, K classes.


class ImageClassification(ImageObjective):
    """Cross entropy of the classes, with what the training recipes of ViT and DeiT add in training.

    label_smoothing: how much of a target is spread over all classes (Szegedy et al., 2015, section 7)
    mixup: alpha of mixup (Zhang et al., 2017): the weighted mean of two images and of their targets; 0: off
    cutmix: alpha of CutMix (Yun et al., 2019): a box of one image pasted into another; 0: off
    mixup_probability: how many of the batches are mixed; where both are on, half of these by each
    monitor: the metric that best.ckpt and early stopping compare; None: top1

    Beside loss and accuracies it reports the macro F1, the Matthews correlation and the expected calibration error.
    """

    trains: ClassVar = "image classifier"
    answers: ClassVar = True

    monitor = "top1"
    mode = "max"
    monitors: ClassVar[Mapping[str, Mode]] = {
        "loss": "min",
        "top1": "max",
        "top5": "max",
        "macro_f1": "max",
        "matthews": "max",
        "calibration_error": "min",
    }

    def __init__(
        self,
        data: ImageCatalogue,
        length: Count | None = None,
        *,
        label_smoothing: Probability = 0.0,
        mixup: NotNegative = 0.0,
        cutmix: NotNegative = 0.0,
        mixup_probability: Probability = 1.0,
        monitor: str | None = None,
    ):
        super().__init__(data, length)
        self.compare_by(monitor)
        for name, value in {
            "label_smoothing": label_smoothing,
            "mixup_probability": mixup_probability,
        }.items():
            if not 0 <= value <= 1:
                raise ValueError(f"objective.{name} lies in [0, 1], but is {value}")
        for name, value in {"mixup": mixup, "cutmix": cutmix}.items():
            if value < 0:
                raise ValueError(f"objective.{name} is 0 (off) or more, but is {value}")
        self.label_smoothing = label_smoothing
        self.mixup, self.cutmix, self.mixup_probability = mixup, cutmix, mixup_probability

    def collate(self, samples: list[ImageSample], keys: np.ndarray, train: bool) -> Batch:
        """-> images (B, C, S, S) and labels (B,); where training mixes, also the labels of `partners` (B,)
        and the `own_part` (), how much of an image is its own."""
        images = torch.stack([sample["image"] for sample in samples])
        labels = torch.tensor([sample["label"] for sample in samples])
        batch: Batch = {"images": images, "labels": labels, "count": len(samples)}
        if train and (self.mixup or self.cutmix):
            images, own_part = self._mix(images, np.random.default_rng(int(keys[0])))
            batch |= {
                "images": images,
                "partners": labels.roll(1),
                "own_part": torch.tensor(own_part, dtype=torch.float32),
            }
        return batch

    def _mix(self, images: Tensor, random: np.random.Generator) -> tuple[Tensor, float]:
        """Mix each image with the one before it; also says how much of each is its own."""
        if random.random() >= self.mixup_probability:
            return images, 1.0
        if self.cutmix and (not self.mixup or random.random() < 0.5):
            return cut_and_paste(images, random.beta(self.cutmix, self.cutmix), random)
        own_part = float(random.beta(self.mixup, self.mixup))
        return own_part * images + (1 - own_part) * images.roll(1, 0), own_part

    def forward(self, model: nn.Module, batch: Batch) -> Scores:
        return self.score(fused_scores(model(batch["images"])), batch)

    def score(self, scores: Tensor, batch: Batch) -> Scores:
        """(B, K) scores, of which those with NO_LABEL do not count.

        Training reports the loss that it differentiates; evaluation the plain cross entropy.
        """
        labels = batch["labels"]
        losses = self._cross_entropy(scores, labels)
        if "partners" in batch:
            own_part, partners = batch["own_part"], batch["partners"]
            losses = own_part * losses + (1 - own_part) * self._cross_entropy(scores, partners)
            labels = torch.where(own_part < 0.5, partners, labels)  # a mixed image counts as what there is more of
        count = counted(labels).sum()
        ratios = {
            "loss": Ratio(losses.detach().sum(), count),
            "top1": Ratio(count_hits(scores, labels, 1), count),
        }
        if self.classes > 5:
            ratios["top5"] = Ratio(count_hits(scores, labels, 5), count)
        if self.training:
            return Scores(losses.mean(), ratios)
        real = labels != NO_LABEL
        return Scores(losses.mean(), ratios, None, (scores[real], labels[real]), self.rows(scores, labels, losses))

    def rows(self, scores: Tensor, labels: Tensor, losses: Tensor) -> dict[str, Tensor]:
        """(B, K), (B,), (B,) -> what is kept of each image: (B,), and of few classes (B, K) log probabilities."""
        log_probabilities = scores.float().log_softmax(-1)
        rows = {
            "label": labels,
            "guess": scores.topk(1).indices[:, 0],
            "nats": losses,
            "confidence": log_probabilities.amax(-1).exp(),
        }
        if self.classes > 5:
            rows["top5"] = hits(scores, labels, 5)
        if self.classes <= KEPT_CLASSES:
            rows["log_probabilities"] = log_probabilities
        return rows

    def measure(self, rows: dict[str, np.ndarray]) -> dict[str, float]:
        rows = {name: column[rows["label"] != NO_LABEL] for name, column in rows.items() if column.ndim == 1}
        labels, guesses = rows["label"], rows["guess"]
        return {
            "loss": share(rows["nats"]),
            "top1": accuracy(labels, guesses),
            **({"top5": share(rows["top5"])} if "top5" in rows else {}),
            "macro_f1": macro_f1(labels, guesses),
            "matthews": matthews(labels, guesses),
            "calibration_error": calibration_error(labels == guesses, rows["confidence"]),
        }

    def _cross_entropy(self, scores: Tensor, labels: Tensor) -> Tensor:
        smoothing = self.label_smoothing if self.training else 0.0
        return F.cross_entropy(
            scores.float(), labels, reduction="none", label_smoothing=smoothing, ignore_index=NO_LABEL
        )


def cut_and_paste(images: Tensor, kept: float, random: np.random.Generator) -> tuple[Tensor, float]:
    """(B, C, S, S), the part to keep -> the images, each with a box from the one before, and the part that is kept.

    The box is centred anywhere and clipped at the border (Yun et al., 2019, section 3.1): it may keep more.
    """
    height, width = images.shape[2:]
    box_height, box_width = height * np.sqrt(1 - kept), width * np.sqrt(1 - kept)
    row, column = random.integers(height), random.integers(width)
    top, bottom = np.clip([row - box_height / 2, row + box_height / 2], 0, height).astype(int)
    left, right = np.clip([column - box_width / 2, column + box_width / 2], 0, width).astype(int)
    mixed = images.clone()
    mixed[:, :, top:bottom, left:right] = images.roll(1, 0)[:, :, top:bottom, left:right]
    return mixed, 1 - float((bottom - top) * (right - left)) / (height * width)


def counted(labels: Tensor) -> Tensor:
    """(B,) labels -> (B,): one where there is a label, zero at NO_LABEL."""
    return (labels != NO_LABEL).float()


def count_hits(scores: Tensor, labels: Tensor, among: int) -> Tensor:
    """(B, K), (B,) -> how many labels are among the highest scores."""
    return hits(scores, labels, among).float().sum()


def hits(scores: Tensor, labels: Tensor, among: int) -> Tensor:
    """(B, K), (B,) -> (B,) whether each label is among the highest scores."""
    return (scores.topk(among).indices == labels[:, None]).any(1)


def both_scores(predictions: Tensor | tuple[Tensor, Tensor]) -> tuple[Tensor, Tensor]:
    """(B, K) scores of the label and of the teacher's answer; the same where the model has only one head."""
    label, teacher = (predictions, predictions) if isinstance(predictions, Tensor) else predictions
    return label.float(), teacher.float()


def fused_scores(predictions: Tensor | tuple[Tensor, Tensor]) -> Tensor:
    """(B, K): the mean of both heads' scores, where there are two (DeiT's code; its paper adds the softmaxes)."""
    label, teacher = both_scores(predictions)
    return (label + teacher) / 2
