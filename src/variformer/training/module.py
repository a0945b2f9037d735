"""The one LightningModule: any model, any objective."""

from collections.abc import Callable
from typing import Literal

import torch
from lightning.pytorch.core.optimizer import LightningOptimizer
from lightning.pytorch.utilities.types import OptimizerLRSchedulerConfig
from torch import Tensor, nn
from torch.optim import Optimizer
from torchmetrics import Metric

from ..layers import Block, Transformer
from ..objectives.objective import Batch, Objective, Scores
from .callback import StepSkipped, run_callbacks
from .compiling import usable_mode
from .contract import State, TrainingModule
from .devices.sharding import ShardedStrategy, full_tensor
from .loss_scale import loss_scaler
from .optimizer import EARLIER_GROUPS, ParameterGroups, decay_groups, group_sizes, keep_own
from .rates import Rates
from .ratios import RatioMetric
from .record import record
from .rows import Rows, Table
from .schedules import Constant, Schedule
from .weighting import Weighting

Compile = Literal["none", "default", "reduce-overhead", "max-autotune", "max-autotune-no-cudagraphs"]


class Training(TrainingModule):
    """A model and the objective that trains it. Without an optimizer it can only be evaluated."""

    def __init__(
        self,
        model: nn.Module,
        objective: Objective,
        optimizer: Callable[[ParameterGroups], Optimizer] | None = None,
        schedule: Schedule | None = None,
        *,
        parameter_groups: Callable[[nn.Module], ParameterGroups] = decay_groups,
        clip: float | None = None,
        compile: Compile = "none",
        checkpointing: bool = False,
        metrics: dict[str, Metric] | None = None,
    ):
        super().__init__()
        self.model, self.objective = model, objective
        self.optimizer, self.schedule, self.parameter_groups = optimizer, schedule or Constant(), parameter_groups
        self.clip, self.compile_mode, self.checkpointing = clip, compile, checkpointing
        self.metrics = nn.ModuleDict(metrics or {})  # of torchmetrics, besides the objective's own
        self.sums: dict[str, dict[str, RatioMetric]] = {}  # of each part of the data; "" where they have none
        self.rows: dict[str, Rows] = {}
        self.tables: dict[str, Table] = {}
        self.results: dict[str, dict[str, float]] = {}
        self.latest: Scores | None = None
        self.gradient_norm: Tensor | None = None
        self.validated_step = 0
        self.weighting = Weighting()
        self.configured = False

    def configure_model(self) -> None:
        """Checkpoint, compile and shard block by block: every block has the same code, so it compiles once.

        It works in place, so that the names in checkpoints stay those of the model. Lightning calls it before every
        stage.
        """
        if not self.configured:
            self.configured = True
            self.prepare_blocks(self.trainer.strategy.root_device)
            if isinstance(self.trainer.strategy, ShardedStrategy):
                self.trainer.strategy.shard(self.model)

    def prepare_blocks(self, device: torch.device) -> None:
        mode = usable_mode(self.compile_mode, device)
        for module in self.model.modules():
            if isinstance(module, Transformer):
                module.checkpointing = self.checkpointing
            if isinstance(module, Block) and mode != "none":
                module.compile(mode=mode)

    def training_step(self, batch: Batch, index: int) -> Tensor:
        self.latest = self.objective(self.model, batch)
        alone = self.trainer.world_size * self.trainer.accumulate_grad_batches == 1
        return self.latest.loss if alone else self.weighting.weigh(self.latest, batch, self.objective)

    def validation_step(self, batch: Batch, index: int) -> None:
        """Runs uncompiled, because the last batch may be short: so a later evaluation gives the same numbers."""
        with torch.compiler.set_stance("force_eager"):
            scores = self.objective(self.model, batch)
        part = batch.get("part", [""])[0]  # all samples of a batch are of one part
        sums = self.sums.setdefault(part, {})
        for name, ratio in scores.ratios.items():
            if name not in sums:
                sums[name] = RatioMetric().to(self.device)
            if not any(batch["epoch"]):  # else another device's sample, seen a second time
                sums[name].update(ratio.total, ratio.count)
        if scores.rows is not None:
            self.rows.setdefault(part, Rows()).add(scores.rows, batch)
        if scores.answers is not None and not any(batch["epoch"]):
            for metric in self.own_metrics().values():
                metric.update(*scores.answers)

    def own_metrics(self) -> dict[str, Metric]:
        return {name: metric for name, metric in self.metrics.items() if isinstance(metric, Metric)}

    test_step = validation_step

    def on_validation_epoch_end(self) -> None:
        self.validated_step = self.trainer.global_step
        self.finish("val")

    def on_test_epoch_end(self) -> None:
        self.finish("test")

    def finish(self, split: str) -> None:
        """Record the split's metrics, over all batches and devices."""
        found = {part: self.measured(split, part) for part in self.sums}
        self.sums.clear()
        self.rows.clear()
        self.results[split] = found[""] if "" in found else of_parts(found)
        for name, metric in self.own_metrics().items():
            self.results[split][name] = float(metric.compute())
            metric.reset()
        if split == "val" and (name := self.objective.monitor) not in self.results[split]:
            raise ValueError(f"objective.monitor={name}: the validation gives {', '.join(self.results[split])}")
        named = {f"{split}/{name}": value for name, value in self.results[split].items()}
        self.log_dict({k: torch.tensor(v) for k, v in named.items()}, logger=False)
        record(self.trainer, named)

    def measured(self, split: str, part: str = "") -> dict[str, float]:
        """The metrics of one part of a split; `tables` keeps the rows that the objective has measured."""
        means = {name: metric.compute().item() for name, metric in self.sums[part].items()}
        measured = {}
        if part in self.rows:
            table = self.tables[f"{split}/{part}" if part else split] = self.rows[part].gathered()
            measured = self.objective.measure(table.columns)
        return measured | means | self.objective.derive(means)

    def new_optimizer(self, model: nn.Module) -> Optimizer:
        assert self.optimizer is not None
        optimizer = self.optimizer(self.parameter_groups(model))
        for group in optimizer.param_groups:
            group["lr"] = group["lr"] * group.get("scale", 1.0)  # before a schedule takes it as the peak
        return optimizer

    def on_load_checkpoint(self, checkpoint: State) -> None:
        """Group the parameters as the run did when it began. Lightning calls it before it builds the optimizer."""
        saved = [group_sizes(state["param_groups"]) for state in checkpoint.get("optimizer_states", [])]
        if saved == [group_sizes(self.parameter_groups(self.model))]:
            return
        for groups in EARLIER_GROUPS:
            if saved == [group_sizes(groups(self.model))]:
                self.parameter_groups = groups

    def configure_optimizers(self) -> OptimizerLRSchedulerConfig:
        optimizer = self.new_optimizer(self.model)
        total = self.trainer.max_steps
        optimizer.register_load_state_dict_pre_hook(keep_own)
        schedule = Rates(optimizer, lambda step: self.schedule(step, total))
        return {"optimizer": optimizer, "lr_scheduler": {"scheduler": schedule, "interval": "step"}}

    def optimizer_step(
        self,
        epoch: int,
        batch_idx: int,
        optimizer: Optimizer | LightningOptimizer,
        optimizer_closure: Callable[[], object] | None = None,
    ) -> None:
        """Lightning's step. If a callback skips it, weights and the optimizer's state stay as they are."""
        try:
            super().optimizer_step(epoch, batch_idx, optimizer, optimizer_closure)
        except StepSkipped:
            if (scaler := loss_scaler(self.trainer)) is not None:
                scaler.update()

    def configure_gradient_clipping(
        self,
        optimizer: Optimizer,
        gradient_clip_val: int | float | None = None,
        gradient_clip_algorithm: str | None = None,
    ) -> None:
        """Clip by the global norm and keep it for the curves; with fp16, after undoing the loss scale."""
        scaler = loss_scaler(self.trainer)
        if scaler is not None and getattr(optimizer, "_step_supports_amp_scaling", False):
            scaler.unscale_(optimizer)
        self.weighting.divide_gradients(self.trainer, self)
        limit = float("inf") if self.clip is None else self.clip
        self.gradient_norm = full_tensor(nn.utils.clip_grad_norm_(self.parameters(), limit))
        for callback in run_callbacks(self.trainer):
            callback.before_step(self.trainer, self)


def of_parts(found: dict[str, dict[str, float]]) -> dict[str, float]:
    """The metrics of each part under its name, and of those that all parts have the mean over the parts."""
    shared = set.intersection(*(set(values) for values in found.values()))
    means = {name: sum(values[name] for values in found.values()) / len(found) for name in sorted(shared)}
    return means | {f"{part}/{name}": value for part, values in found.items() for name, value in values.items()}
