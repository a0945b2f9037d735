"""Learning from a teacher: what all distillations share.

Hinton et al., 2015, "Distilling the Knowledge in a Neural Network", https://arxiv.org/abs/1503.02531.
"""

import copy
import re
from collections.abc import Callable, Sequence
from typing import Any, Required, TypedDict

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ..paths import FolderOrName
from ..ranges import Count, Whole
from ..samples import View
from .objective import Batch, Objective, SampleT, Scores, SplitT

# Shapes: N tokens or images, V scores of each.


class Teacher:
    """A frozen model. It answers on the device of the student, and in the student's precision.

    It is not an nn.Module, so that what holds it neither trains it, nor saves it, nor sets it to training mode.
    """

    def __init__(self, model: nn.Module):
        self.model = model.eval().requires_grad_(False)
        self.copies = {device_and_dtype(model): self.model}

    @torch.no_grad()
    def __call__(self, student: nn.Module, *inputs: Tensor, **named: Tensor | None) -> Any:
        place = device_and_dtype(student)
        if place not in self.copies:  # a copy: FLOPs are counted with a student on the meta device, without weights
            self.copies[place] = copy.deepcopy(self.model).to(*place)
        return self.copies[place](*inputs, **named)


def device_and_dtype(model: nn.Module) -> tuple[torch.device, torch.dtype]:
    first = next(model.parameters())
    return first.device, first.dtype


class DistillationArguments(TypedDict, total=False):
    """The arguments of `Distillation` that its subclasses pass on."""

    task: Required[Callable[..., Objective]]
    teacher: FolderOrName | None
    copied_layers: Sequence[Whole] | None


class Distillation(Objective[SplitT, SampleT]):
    """A student learns a task, and imitates a teacher in it. A subclass says how.

    Evaluation is that of the task, and needs no teacher.

    data: what the task is built with, a vocabulary or the data set of images
    task: the objective that the student learns beside the teacher's answers
    teacher: the directory of the teacher's run; it is loaded where a run trains, and given to `learn_from`
    copied_layers: for each block of a new student, the block of the teacher that it starts as, counted from 0.
        Embeddings and heads are then copied too. None: the student starts with random weights
    """

    def __init__(
        self,
        data: object,
        length: Count | None = None,
        *,
        task: Callable[..., Objective],
        teacher: FolderOrName | None = None,
        copied_layers: Sequence[Whole] | None = None,
    ):
        super().__init__()
        self.task: Objective[SplitT, SampleT] = task(data, length)
        self.monitor, self.mode, self.unit = self.task.monitor, self.task.mode, self.task.unit
        self.length, self.source, self.copied_layers = length, teacher, copied_layers
        self.teacher: Teacher | None = None

    def __getstate__(self) -> dict[str, Any]:
        """Leaves out the teacher: the loader's workers only collate, and need no copy of it."""
        return self.__dict__ | {"teacher": None}

    def learn_from(self, model: nn.Module) -> None:
        """Take a model as the teacher, and freeze it."""
        self.teacher = Teacher(model)

    def initialise(self, model: nn.Module) -> None:
        if self.copied_layers is not None:
            copy_layers(self.require_teacher().model, model, self.copied_layers)

    def require_teacher(self) -> Teacher:
        if self.teacher is None:
            raise ValueError(f"{type(self).__name__} trains with a teacher, the model of objective.teacher's run")
        return self.teacher

    def view(self, data: SplitT) -> View[SampleT]:
        return self.task.view(data)

    def collate(self, samples: list[SampleT], keys: np.ndarray, train: bool) -> Batch:
        return self.task.collate(samples, keys, train)

    def derive(self, means: dict[str, float]) -> dict[str, float]:
        return self.task.derive(means)

    def measure(self, rows: dict[str, np.ndarray]) -> dict[str, float]:
        return self.task.measure(rows)

    def forward(self, model: nn.Module, batch: Batch) -> Scores:
        return self.imitate(model, self.require_teacher(), batch) if self.training else self.task(model, batch)

    def imitate(self, model: nn.Module, teacher: Teacher, batch: Batch) -> Scores:
        """The loss of a student in training, and what is reported."""
        raise NotImplementedError


def divergence(student: Tensor, teacher: Tensor, temperature: float) -> Tensor:
    """(N, V) scores of both -> (N,): T^2 KL(teacher || student) of their softmaxes at temperature T, in nats.

    The square keeps the gradients' size whatever the temperature (Hinton et al., 2015, section 2).
    """
    student, teacher = (F.log_softmax(scores.float() / temperature, dim=-1) for scores in (student, teacher))
    return temperature**2 * F.kl_div(student, teacher, reduction="none", log_target=True).sum(-1)


def copy_layers(teacher: nn.Module, student: nn.Module, layers: Sequence[int]) -> None:
    """The student's block i becomes the teacher's block layers[i]; all else that both have, by name, is copied.

    Raises ValueError where the number of layers, a block or a shape does not fit.
    """
    ours, theirs = student.state_dict(), teacher.state_dict()
    depth = len({number for name in ours if (number := block_of(name)) is not None})
    if len(layers) != depth:
        raise ValueError(f"objective.copied_layers={list(layers)} names {len(layers)} layers, the student has {depth}")
    sources = {name: source_of(name, layers) for name in ours}
    shared = {name: source for name, source in sources.items() if source in theirs or block_of(name) is not None}
    unfit = [
        source for name, source in shared.items() if source not in theirs or theirs[source].shape != ours[name].shape
    ]
    if unfit:
        raise ValueError(
            f"the teacher has no {', '.join(unfit[:4])}, or in another shape: give the student the teacher's "
            "model.width, heads, hidden, max_length and parts, and objective.copied_layers that the teacher has"
        )
    with torch.no_grad():
        for name, source in shared.items():
            ours[name].copy_(theirs[source])


BLOCK = re.compile(r"(.*\bblocks\.)(\d+)(\..*)")


def block_of(name: str) -> int | None:
    """encoder.blocks.3.feed_forward.widen.weight -> 3; None where a parameter is in no block."""
    match = BLOCK.fullmatch(name)
    return int(match[2]) if match else None


def source_of(name: str, layers: Sequence[int]) -> str:
    """With layers [0, 2]: encoder.blocks.1.self_norm.bias -> encoder.blocks.2.self_norm.bias."""
    match = BLOCK.fullmatch(name)
    return f"{match[1]}{layers[int(match[2])]}{match[3]}" if match else name
