"""DeiT's training: the labels, and what a teacher sees in the same images.

Touvron et al., 2020, section 4, https://arxiv.org/abs/2012.12877.
"""

from typing import ClassVar, Unpack

import torch.nn.functional as F
from torch import Tensor, nn

from ..ranges import Count, Positive, Probability
from ..samples import ImageCatalogue, ImageSample, View
from .distillation import Distillation, DistillationArguments, Teacher, divergence
from .image_classification import ImageClassification, both_scores, counted, fused_scores
from .objective import Batch, Ratio, Scores

# Shapes: B batch, K classes.


class ImageDistillation(Distillation[View[ImageSample], ImageSample]):
    """(1 - share) x the task's loss + share x the distance of student and teacher. A subclass says which distance.

    The teacher reads the same augmented and mixed images. Its answer is learned by the head of the student's
    distillation token; a student without one (ViT) learns both with its only head. Evaluation takes the mean of both
    heads' scores.

    share: the weight of the teacher in the loss
    """

    trains: ClassVar = "image classifier"
    reads: ClassVar = "images"

    task: ImageClassification

    def __init__(
        self,
        data: ImageCatalogue,
        length: Count | None = None,
        *,
        share: Probability = 0.5,
        **distillation: Unpack[DistillationArguments],
    ):
        super().__init__(data, length, **distillation)
        if not isinstance(self.task, ImageClassification):
            raise ValueError(f"objective.task={type(self.task).__name__}, but only image classification fits here")
        if not 0 <= share <= 1:
            raise ValueError(f"objective.share must lie in [0, 1], but is {share}")
        self.share = share

    def imitate(self, model: nn.Module, teacher: Teacher, batch: Batch) -> Scores:
        label, imitation = both_scores(model(batch["images"]))
        example = fused_scores(teacher(model, batch["images"]))
        if imitation.size(-1) != example.size(-1):
            raise ValueError(f"the teacher knows {example.size(-1)} classes, the student {imitation.size(-1)}")
        task = self.task.score(label, batch)
        distance = self.distance(imitation, example)
        real = counted(batch["labels"])
        count, counted_distance = real.sum(), distance.detach() * real
        agreed = (imitation.argmax(-1) == example.argmax(-1)).float() * real
        ratios = {"distance": Ratio(counted_distance.sum(), count), "agreement": Ratio(agreed.sum(), count)}
        return Scores((1 - self.share) * task.loss + self.share * distance.mean(), task.ratios | ratios)

    def distance(self, student: Tensor, teacher: Tensor) -> Tensor:
        """(B, K) scores of both -> (B,)."""
        raise NotImplementedError


class HardDistillation(ImageDistillation):
    """The class that the teacher finds likeliest is a label like the true one, and never smoothed (equation 3)."""

    def distance(self, student: Tensor, teacher: Tensor) -> Tensor:
        return F.cross_entropy(student.float(), teacher.argmax(-1), reduction="none")


class SoftDistillation(ImageDistillation):
    """Divergence from the teacher's softmax at a temperature (equation 2, whose KL is summed over classes: their code
    takes its mean)."""

    def __init__(
        self,
        data: ImageCatalogue,
        length: Count | None = None,
        *,
        share: Probability = 0.1,
        temperature: Positive = 3.0,
        **distillation: Unpack[DistillationArguments],
    ):
        super().__init__(data, length, share=share, **distillation)
        if temperature <= 0:
            raise ValueError(f"objective.temperature must be positive, but is {temperature}")
        self.temperature = temperature

    def distance(self, student: Tensor, teacher: Tensor) -> Tensor:
        return divergence(student, teacher, self.temperature)
