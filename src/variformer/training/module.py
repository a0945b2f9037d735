"""The one LightningModule: any model, any objective."""

from collections.abc import Callable
from typing import Any, Literal

import lightning as L
import torch
from torch import Tensor, nn

from ..layers import Block, Transformer
from ..objectives.objective import Batch, Objective, Scores
from .compiling import usable_mode
from .devices.sharding import ShardedStrategy, whole
from .non_finite.tracing import StepSkipped
from .optimizer import EARLIER_GROUPS, decay_groups, group_sizes, keep_own
from .rates import Rates
from .ratios import RatioMetric
from .record import record
from .schedules import Constant, Schedule
from .weighting import Weighting

Compile = Literal["none", "default", "reduce-overhead", "max-autotune", "max-autotune-no-cudagraphs"]


class Training(L.LightningModule):
    """A model and the objective that trains it; without an optimizer, one that is evaluated alone.

    `latest` are the last training batch's scores, and `results` the metrics of each evaluated split, by name.
    """

    def __init__(
        self,
        model: nn.Module,
        objective: Objective,
        optimizer: Callable[..., torch.optim.Optimizer] | None = None,
        schedule: Schedule | None = None,
        *,
        parameter_groups: Callable[[nn.Module], list[dict[str, Any]]] = decay_groups,
        clip: float | None = None,
        compile: Compile = "none",
        checkpointing: bool = False,
        metrics: dict[str, nn.Module] | None = None,
    ):
        super().__init__()
        self.model, self.objective = model, objective
        self.optimizer, self.schedule, self.parameter_groups = optimizer, schedule or Constant(), parameter_groups
        self.clip, self.compile_mode, self.checkpointing = clip, compile, checkpointing
        self.metrics: Any = nn.ModuleDict(metrics or {})  # of torchmetrics, beside the objective's own
        self.sums: dict[str, RatioMetric] = {}
        self.results: dict[str, dict[str, float]] = {}
        self.latest: Scores | None = None
        self.gradient_norm: Tensor | None = None
        self.weighting = Weighting()
        self.before_step: Callable[[], None] | None = None  # may raise StepSkipped
        self.configured = False

    def configure_model(self) -> None:
        """Checkpoint, compile and shard block by block: every block has the same code, so it compiles once.

        In place, so that the names in checkpoints stay those of the model. Lightning calls this before every stage.
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
        """Uncompiled: the last batch may be short, and a run's numbers are then those of any later evaluation."""
        with torch.compiler.set_stance("force_eager"):
            scores = self.objective(self.model, batch)
        for name, ratio in scores.ratios.items():
            if name not in self.sums:
                self.sums[name] = RatioMetric().to(self.device)
            if not any(batch["epoch"]):  # else another device's sample, seen a second time
                self.sums[name].update(ratio.total, ratio.count)
        if scores.answers is not None and not any(batch["epoch"]):
            for metric in self.metrics.values():
                metric.update(*scores.answers)

    test_step = validation_step

    def on_validation_epoch_end(self) -> None:
        self.finish("val")

    def on_test_epoch_end(self) -> None:
        self.finish("test")

    def finish(self, split: str) -> None:
        """The split's metrics, over all batches and devices, to whoever watches them."""
        means = {name: metric.compute().item() for name, metric in self.sums.items()}
        self.sums.clear()
        self.results[split] = means | self.objective.derive(means)
        for name, metric in self.metrics.items():
            self.results[split][name] = float(metric.compute())
            metric.reset()
        named = {f"{split}/{name}": value for name, value in self.results[split].items()}
        self.log_dict({k: torch.tensor(v) for k, v in named.items()}, logger=False)
        record(self.trainer, named)

    def new_optimizer(self, model: nn.Module) -> torch.optim.Optimizer:
        assert self.optimizer is not None
        return self.optimizer(self.parameter_groups(model))

    def on_load_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Group the parameters as the run did when it began; its optimizer is built after this."""
        saved = [group_sizes(state["param_groups"]) for state in checkpoint.get("optimizer_states", [])]
        if saved == [group_sizes(self.parameter_groups(self.model))]:
            return
        for groups in EARLIER_GROUPS:
            if saved == [group_sizes(groups(self.model))]:
                self.parameter_groups = groups

    def configure_optimizers(self):
        optimizer = self.new_optimizer(self.model)
        total = self.trainer.max_steps
        optimizer.register_load_state_dict_pre_hook(keep_own)
        schedule = Rates(optimizer, lambda step: self.schedule(step, total))
        return {"optimizer": optimizer, "lr_scheduler": {"scheduler": schedule, "interval": "step"}}

    def optimizer_step(self, *args: Any, **kwargs: Any) -> None:
        """Lightning's; where `before_step` calls it off, weights and the optimizer's state stay as they are."""
        try:
            super().optimizer_step(*args, **kwargs)
        except StepSkipped:
            scaler = getattr(self.trainer.precision_plugin, "scaler", None)
            if scaler is not None:
                scaler.update()

    def configure_gradient_clipping(self, optimizer, gradient_clip_val=None, gradient_clip_algorithm=None):
        """Clip by the global norm, which is kept for the curves; with fp16, after undoing the loss scale."""
        scaler = getattr(self.trainer.precision_plugin, "scaler", None)
        if scaler is not None and getattr(optimizer, "_step_supports_amp_scaling", False):
            scaler.unscale_(optimizer)
        self.weighting.settle(self.trainer, self)
        limit = float("inf") if self.clip is None else self.clip
        self.gradient_norm = whole(nn.utils.clip_grad_norm_(self.parameters(), limit))
        if self.before_step is not None:
            self.before_step()
