"""Stops the run at a loss, a gradient or a state that is not finite, or leaves the step out, and keeps the cause."""

import logging
import math
from typing import ClassVar, Literal

import lightning as L
import torch
from lightning.pytorch.utilities.types import STEP_OUTPUT
from torch import Tensor

from ...objectives.objective import Batch
from ...ranges import Count
from ..callback import RunCallback, StepSkipped
from ..contract import State, TrainingModule, run_of, training_module
from ..loss_scale import loss_scaler
from ..order import Order
from ..record import record
from ..steps import step_is_complete
from .finding import Finding, described, keep_batch, on_cpu
from .finite import CURES, NonFiniteError, full_state, require_finite, require_finite_value
from .tracing import MicroBatch, dropout_states, is_sharded, trace_gradient, trace_loss

log = logging.getLogger(__name__)

KEPT = 20  # batches of skipped steps that a run keeps
AGAIN = ", and was finite when it was computed again"
SKIPPING = "on_non_finite=skip leaves such steps out, and debug=anomaly names the operation."


class NonFinite(RunCallback):
    """Looks at the losses and the gradient's norm of every step before it is taken, over all devices.

    action: "stop" ends the run with NonFiniteError. "skip" leaves the step out: weights and the optimizer's state stay
        as they are, but the step counts, and the schedule and the data go on.
    limit: this many steps left out in a row end the run too

    Weights that are not finite end the run with either action, before they are validated or saved. So does the last
    validation of a run. An earlier validation that is not finite is a warning with "skip".

    With fp16, the loss scale adapts to gradients that overflow. Such steps are left out and counted, and are errors
    only below a scale of 1. Batches in which a part of the loss had no target are counted too. It costs one wait for
    the device per optimizer step, and between devices one sum of three numbers.
    """

    order: ClassVar[Order] = Order.CHECK

    def __init__(self, action: Literal["stop", "skip"] = "stop", *, limit: Count = 10):
        self.action, self.limit = action, limit
        self.window: list[MicroBatch] = []
        self.counts = {"skipped_steps": 0, "loss_scale_overflows": 0, "batches_without_targets": 0}
        self.in_a_row = 0
        self.counts_changed = False

    def on_train_batch_start(self, trainer: L.Trainer, module: L.LightningModule, batch: Batch, batch_idx: int) -> None:
        samples = list(zip(batch["epoch"], batch["index"], strict=True))
        self.window.append(MicroBatch(samples, dropout_states(module.device)))

    def on_before_backward(self, trainer: L.Trainer, module: L.LightningModule, loss: Tensor) -> None:
        micro, latest = self.window[-1], training_module(module).latest
        assert latest is not None
        micro.loss = latest.loss.detach()
        micro.counts = tuple(ratio.count for ratio in latest.ratios.values())

    def before_step(self, trainer: L.Trainer, module: L.LightningModule) -> None:
        """Raises StepSkipped or NonFiniteError, on every device alike."""
        own, window, self.window = training_module(module), self.window, []
        assert own.gradient_norm is not None
        losses, gradients, empty = summed(trainer, window, own.gradient_norm)
        self.count(batches_without_targets=empty)
        if not losses and not gradients:
            self.in_a_row = 0
            return
        scaler = loss_scaler(trainer)
        if scaler is not None and not losses and scaler.get_scale() >= 1:
            self.count(loss_scale_overflows=1)
            raise StepSkipped
        self.in_a_row += 1
        cause = self.explain(trainer, own, window, "loss" if losses else "gradient")
        if self.action == "stop":
            raise NonFiniteError(f"{cause}\n{CURES} {SKIPPING}")
        require_finite(trainer, full_state(trainer, own))  # no step that is left out makes weights finite again
        if self.in_a_row >= self.limit:
            raise NonFiniteError(f"{cause}\nThe {self.limit} last steps were all left out, so the run stops.\n{CURES}")
        self.count(skipped_steps=1)
        if trainer.is_global_zero:
            log.warning("%s\nThe step is left out.", cause)
        raise StepSkipped

    def explain(
        self, trainer: L.Trainer, module: TrainingModule, window: list[MicroBatch], what: Literal["loss", "gradient"]
    ) -> str:
        """Find the cause, keep the batch, and describe both. All processes do the same work at the same time."""
        step = trainer.global_step + 1
        found = find(trainer, module, window, what)
        everyone = [found] * trainer.world_size
        if trainer.world_size > 1:
            torch.distributed.all_gather_object(everyone, found)
        first = next(((rank, each) for rank, each in enumerate(everyone) if each is not None), None)
        if first is None:
            return f"step {step}: the {what} is not finite{AGAIN}"
        rank, (finding, batch) = first
        again = AGAIN if math.isfinite(finding.loss_parts["loss"]) and what == "loss" else ""
        lines = [f"step {step}: the {what} is not finite{again}"]
        lines += described(finding, len(window), rank, trainer.world_size)
        if trainer.is_global_zero and self.counts["skipped_steps"] < KEPT:
            lines.append(f"  kept: {keep_batch(run_of(trainer), step, rank, finding, batch)}")
        return "\n".join(lines)

    def count(self, **more: int) -> None:
        for name, number in more.items():
            self.counts[name] += number
            self.counts_changed |= number > 0

    def on_train_batch_end(
        self, trainer: L.Trainer, module: L.LightningModule, outputs: STEP_OUTPUT, batch: Batch, batch_idx: int
    ) -> None:
        if self.counts_changed and step_is_complete(trainer, batch_idx):
            self.counts_changed = False
            record(trainer, {f"train/{name}": float(number) for name, number in self.counts.items() if number})

    def on_validation_start(self, trainer: L.Trainer, module: L.LightningModule) -> None:
        """Check the state before time is spent on its validation."""
        if trainer.state.fn == "fit":
            require_finite(trainer, full_state(trainer, module))

    def on_validation_end(self, trainer: L.Trainer, module: L.LightningModule) -> None:
        try:
            require_finite_value(trainer.global_step, training_module(module))
        except NonFiniteError as error:
            if self.action == "stop":
                raise
            if trainer.is_global_zero:
                log.warning("%s\nbest.ckpt stays as it was.", error)

    def on_train_end(self, trainer: L.Trainer, module: L.LightningModule) -> None:
        self.note(trainer)
        require_finite(trainer, full_state(trainer, module))

    def on_exception(self, trainer: L.Trainer, module: L.LightningModule, exception: BaseException) -> None:
        self.note(trainer)

    def note(self, trainer: L.Trainer) -> None:
        if trainer.is_global_zero and any(self.counts.values()):
            run_of(trainer).amend_record(**self.counts)

    def state_dict(self) -> State:
        return {"counts": self.counts, "in_a_row": self.in_a_row}

    def load_state_dict(self, state: State) -> None:
        self.counts, self.in_a_row = dict(state["counts"]), state["in_a_row"]


def summed(trainer: L.Trainer, window: list[MicroBatch], norm: Tensor) -> tuple[bool, bool, int]:
    """Over all devices, in one read: is a loss not finite, is the gradient, how many micro batches had no targets."""
    losses = torch.stack([micro.loss for micro in window if micro.loss is not None])
    counts = [torch.stack([count.double() for count in micro.counts]).min() for micro in window if micro.counts]
    empty = (torch.stack(counts) == 0).sum() if counts else torch.zeros((), device=losses.device)
    facts = torch.stack([(~losses.isfinite()).any().float(), (~norm.isfinite()).float(), empty.float()])
    loss, gradient, without_targets = trainer.strategy.reduce(facts, reduce_op="sum").tolist()
    return loss > 0, gradient > 0, int(without_targets)


def find(
    trainer: L.Trainer, module: TrainingModule, window: list[MicroBatch], what: Literal["loss", "gradient"]
) -> tuple[Finding, Batch] | None:
    """This process's micro batch at fault, if it has one. Each process does as many passes as any other."""
    if what == "loss":
        wrong = [n for n, micro in enumerate(window) if micro.loss is not None and not math.isfinite(micro.loss)]
        number = wrong[0] if wrong else 0
        found = trace_loss(trainer, module, number + 1, window[number])
        return on_cpu(found) if wrong else None
    if is_sharded(module.model):
        return None
    module.zero_grad(set_to_none=True)  # they are not needed any more, and their memory is
    for number, micro in enumerate(window):
        if (at_fault := trace_gradient(trainer, module, number + 1, micro)) is not None:
            return on_cpu(at_fault)
    return None
