"""DistilBERT's training: the teacher's scores and states besides the hidden tokens themselves.

Sanh et al., 2019, section 3, https://arxiv.org/abs/1910.01108; weights and temperature are those of their code.
"""

from typing import ClassVar, NamedTuple, Unpack

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ..ranges import Count, NotNegative, Positive
from ..samples import TextSplit, Vocabulary
from .distillation import Distillation, DistillationArguments, Teacher, divergence
from .masked_tokens import TokenMasking, mean
from .objective import Batch, Ratio, SampleT, Scores

# Shapes: B batch, T tokens, N scored positions in the batch, D model width.


class Predicted(NamedTuple):
    """The scores of a student at the positions that the task predicts."""

    tokens: Tensor  # (N, V)
    pair: Tensor | None  # (B, 2)


class TokenDistillation(Distillation[TextSplit, SampleT]):
    """`scores_weight` x divergence from the teacher's scores + `task_weight` x the task's loss + `states_weight` x
    one minus the cosine between the last states of both, at each real token.

    The divergence is taken where the task predicts: a seventh of the positions, and so of the work with the
    vocabulary's matrix. With `everywhere` it is taken at all real tokens, as in their code without
    --restrict_ce_to_mask. Other than in their code, masks do not prefer rare tokens.

    task: masked tokens, in any of their forms
    """

    trains: ClassVar = "encoder with a token head"
    reads: ClassVar = "text"

    task: TokenMasking[SampleT]

    def __init__(
        self,
        data: Vocabulary,
        length: Count,
        *,
        temperature: Positive = 2.0,
        scores_weight: NotNegative = 5.0,
        task_weight: NotNegative = 2.0,
        states_weight: NotNegative = 1.0,
        everywhere: bool = False,
        **distillation: Unpack[DistillationArguments],
    ):
        super().__init__(data, length, **distillation)
        if not isinstance(self.task, TokenMasking):
            raise ValueError(f"objective.task={type(self.task).__name__}, but only masked tokens can be distilled here")
        if temperature <= 0 or min(scores_weight, task_weight, states_weight) < 0:
            raise ValueError(f"objective.temperature={temperature} must be positive, and no weight negative")
        self.temperature, self.everywhere = temperature, everywhere
        self.scores_weight, self.task_weight, self.states_weight = scores_weight, task_weight, states_weight

    def imitate(self, model: nn.Module, teacher: Teacher, batch: Batch) -> Scores:
        inputs = self.task.inputs(batch)
        real = torch.ones_like(batch["tokens"], dtype=torch.bool) if batch["mask"] is None else batch["mask"]
        counted, predicted = batch["targets"] >= 0, slice(None)
        if self.everywhere:
            inputs["predict"] = torch.arange(real.numel(), device=real.device)
            counted, predicted = real.flatten(), batch["predict"]
        student, theirs = model(**inputs), teacher(model, **inputs)
        if student.tokens.size(-1) != theirs.tokens.size(-1):
            sizes = f"{student.tokens.size(-1)} tokens, the teacher {theirs.tokens.size(-1)}"
            raise ValueError(f"the student knows {sizes}: make model.vocab_size and the tokenizer the same")

        task = self.task.score(Predicted(student.tokens[predicted], student.pair), batch)
        distance = divergence(student.tokens, theirs.tokens, self.temperature)
        ratios = {"divergence": Ratio((distance * counted).sum(), counted.sum())}
        loss = self.scores_weight * mean(ratios["divergence"]) + self.task_weight * task.loss
        if self.states_weight:
            cosines = one_minus_cosine(student.states, theirs.states)
            ratios["states"] = Ratio((cosines * real).sum(), real.sum())
            loss = loss + self.states_weight * mean(ratios["states"])
        return Scores(loss, task.ratios | ratios)


def one_minus_cosine(student: Tensor, teacher: Tensor) -> Tensor:
    """(B, T, D) states of both -> (B, T): one minus their cosine. Raises ValueError if widths differ."""
    if student.size(-1) != teacher.size(-1):
        raise ValueError(
            f"the student's states are {student.size(-1)} wide, the teacher's {teacher.size(-1)}: "
            "make model.width the same, or set objective.states_weight=0"
        )
    return 1 - F.cosine_similarity(student.float(), teacher.float(), dim=-1)
