"""What the objects of a run have beside what Lightning declares, so that its hooks can be typed.

Lightning types its hooks by its own classes, and sets some attributes of its trainer without declaring them.
"""

from typing import Any, Protocol, cast

import lightning as L
from lightning import Callback
from torch import Tensor, nn
from torch.optim import Optimizer

from ..data import DataSet
from ..data.contracts import TextDataSet
from ..objectives.objective import Objective, Scores
from ..run_directory.directory import RunDirectory
from ..samples import TextCodec
from .data_module import DataModule

State = dict[str, Any]  # what Lightning's hooks take for a part of a checkpoint: plain data and tensors by name


class RunTrainer(L.Trainer):
    """The trainer of a run."""

    callbacks: list[Callback]
    datamodule: DataModule
    log_every_n_steps: int


class TrainingModule(L.LightningModule):
    """What callbacks may ask of the module that trains; `Training` is the one.

    `latest` are the last training batch's scores, `gradient_norm` is the last step's, and `results` holds the metrics
    of each evaluated split by name. `validated_step` is the step whose weights were validated last.
    """

    model: nn.Module
    objective: Objective
    checkpointing: bool
    latest: Scores | None
    gradient_norm: Tensor | None
    results: dict[str, dict[str, float]]
    validated_step: int

    def new_optimizer(self, model: nn.Module) -> Optimizer:
        """An optimizer of the parameters of `model`, as the config says."""
        raise NotImplementedError

    def is_validated(self) -> bool:
        """Whether the weights of the present step have been validated."""
        return self.validated_step == self.trainer.global_step


class HasLength(Protocol):
    """An objective for text, or a distillation of one."""

    length: int


def length_of(objective: Objective) -> int:
    """How many tokens a model of this objective reads at once; only an objective for text has a length."""
    return cast(HasLength, objective).length


def tokenizer_of(data: DataSet[Any]) -> TextCodec:
    """The tokenizer of a data set of texts; only texts have one."""
    return cast(TextDataSet, data).tokenizer


def run_trainer(trainer: L.Trainer) -> RunTrainer:
    """The trainer that a hook is given, as what it is."""
    return cast(RunTrainer, trainer)


def training_module(module: L.LightningModule) -> TrainingModule:
    """The module that a hook is given, as what it is."""
    return cast(TrainingModule, module)


def run_of(trainer: L.Trainer) -> RunDirectory:
    """The directory of the run that a trainer belongs to."""
    return RunDirectory(trainer.default_root_dir)
