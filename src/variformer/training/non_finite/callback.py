"""A loss, a gradient or a state that is not finite stops the run, or one step is left out; what caused it is kept."""

import json
import logging
import math
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import Any, ClassVar, Literal

import lightning as L
import torch
from lightning import Callback
from torch import Tensor

from ...objectives.objective import Batch
from ...ranges import Count
from ...run_directory.directory import RunDirectory
from ..order import Order
from ..record import record
from ..watching.curves import steps_now
from .finite import require_finite, whole_state
from .tracing import (
    CURES,
    Finding,
    MicroBatch,
    NonFiniteError,
    StepSkipped,
    dropout_states,
    follow_gradient,
    follow_loss,
    is_sharded,
    require_finite_value,
)

log = logging.getLogger(__name__)

KEPT = 20  # batches of skipped steps that a run keeps
AGAIN = ", and was finite when it was computed again"
SKIPPING = "on_non_finite=skip leaves such steps out, and debug=anomaly names the operation."


class NonFinite(Callback):
    """Looks at the losses and the gradient's norm of every step before it is taken, over all devices.

    action: "stop" ends the run with NonFiniteError; "skip" leaves the step out, so that weights and the optimizer's
        state stay as they are while the step counts, the schedule and the data go on
    limit: as many steps left out in a row end the run too

    Weights that are not finite end the run with either action, before they are validated or saved, and so does a run's
    last validation. An earlier one that is not finite is a warning with "skip".

    With fp16, gradients that overflow are what the loss scale adapts to: such steps are left out and counted, and are
    errors only below a scale of 1. Batches in which some part of the loss had no target are counted too. Costs one
    wait for the device per optimizer step, and between devices one sum of three numbers.
    """

    order: ClassVar[Order] = Order.CHECK

    def __init__(self, action: Literal["stop", "skip"] = "stop", *, limit: Count = 10):
        self.action, self.limit = action, limit
        self.window: list[MicroBatch] = []
        self.counts = {"skipped_steps": 0, "loss_scale_overflows": 0, "batches_without_targets": 0}
        self.in_a_row = 0
        self.is_news = False

    def on_train_start(self, trainer: L.Trainer, module: Any) -> None:
        module.before_step = partial(self.inspect, trainer, module)

    def on_train_batch_start(self, trainer: L.Trainer, module: Any, batch: Batch, batch_idx: int) -> None:
        samples = list(zip(batch["epoch"], batch["index"], strict=True))
        self.window.append(MicroBatch(samples, dropout_states(module.device)))

    def on_before_backward(self, trainer: L.Trainer, module: Any, loss: Tensor) -> None:
        micro = self.window[-1]
        micro.loss = module.latest.loss.detach()
        micro.counts = tuple(ratio.count for ratio in module.latest.ratios.values())

    def inspect(self, trainer: L.Trainer, module: Any) -> None:
        """Called with all gradients there. Raises StepSkipped or NonFiniteError, on every device alike."""
        window, self.window = self.window, []
        losses, gradients, empty = read(trainer, window, module.gradient_norm)
        self.count(batches_without_targets=empty)
        if not losses and not gradients:
            self.in_a_row = 0
            return
        scaler = getattr(trainer.precision_plugin, "scaler", None)
        if scaler is not None and not losses and scaler.get_scale() >= 1:
            self.count(loss_scale_overflows=1)
            raise StepSkipped
        self.in_a_row += 1
        told = self.explain(trainer, module, window, "loss" if losses else "gradient")
        if self.action == "stop":
            raise NonFiniteError(f"{told}\n{CURES} {SKIPPING}")
        require_finite(trainer, whole_state(trainer, module))  # no step that is left out makes weights finite again
        if self.in_a_row >= self.limit:
            raise NonFiniteError(f"{told}\nThe {self.limit} last steps were all left out, so the run stops.\n{CURES}")
        self.count(skipped_steps=1)
        if trainer.is_global_zero:
            log.warning("%s\nThe step is left out.", told)
        raise StepSkipped

    def explain(self, trainer: L.Trainer, module: Any, window: list[MicroBatch], what: str) -> str:
        """Find the cause, keep the batch, and say both. All processes do the same work at the same time."""
        step = trainer.global_step + 1
        found = find(trainer, module, window, what)
        everyone: list[Any] = [found]
        if trainer.world_size > 1:
            everyone = [None] * trainer.world_size
            torch.distributed.all_gather_object(everyone, found)
        rank = next((rank for rank, each in enumerate(everyone) if each is not None), None)
        if rank is None:
            return f"step {step}: the {what} is not finite{AGAIN}"
        finding, batch = everyone[rank]
        again = AGAIN if math.isfinite(finding.loss_parts["loss"]) and what == "loss" else ""
        lines = [f"step {step}: the {what} is not finite{again}"]
        lines += described(finding, len(window), rank, trainer.world_size)
        if trainer.is_global_zero and self.counts["skipped_steps"] < KEPT:
            lines.append(f"  kept: {keep(RunDirectory(trainer.default_root_dir), step, rank, finding, batch)}")
        return "\n".join(lines)

    def count(self, **more: int) -> None:
        for name, number in more.items():
            self.counts[name] += number
            self.is_news |= number > 0

    def on_train_batch_end(self, trainer: L.Trainer, module: Any, outputs: Any, batch: Any, batch_idx: int) -> None:
        if self.is_news and steps_now(trainer, batch_idx):
            self.is_news = False
            record(trainer, {f"train/{name}": float(number) for name, number in self.counts.items() if number})

    def on_validation_start(self, trainer: L.Trainer, module: Any) -> None:
        """Before the time is spent."""
        if trainer.state.fn == "fit":
            require_finite(trainer, whole_state(trainer, module))

    def on_validation_end(self, trainer: L.Trainer, module: Any) -> None:
        try:
            require_finite_value(trainer.global_step, module)
        except NonFiniteError as error:
            if self.action == "stop":
                raise
            if trainer.is_global_zero:
                log.warning("%s\nbest.ckpt stays as it was.", error)

    def on_train_end(self, trainer: L.Trainer, module: Any) -> None:
        self.note(trainer)
        require_finite(trainer, whole_state(trainer, module))

    def on_exception(self, trainer: L.Trainer, module: Any, exception: BaseException) -> None:
        self.note(trainer)

    def note(self, trainer: L.Trainer) -> None:
        if trainer.is_global_zero and any(self.counts.values()):
            RunDirectory(trainer.default_root_dir).amend_record(**self.counts)

    def state_dict(self) -> dict[str, Any]:
        return {"counts": self.counts, "in_a_row": self.in_a_row}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        self.counts, self.in_a_row = dict(state["counts"]), state["in_a_row"]


def read(trainer: L.Trainer, window: list[MicroBatch], norm: Tensor) -> tuple[bool, bool, int]:
    """Is a loss not finite, is the gradient, how many micro batches lacked targets: over all devices, in one read."""
    losses = torch.stack([micro.loss for micro in window if micro.loss is not None])
    counts = [torch.stack([count.double() for count in micro.counts]).min() for micro in window if micro.counts]
    empty = (torch.stack(counts) == 0).sum() if counts else torch.zeros((), device=losses.device)
    facts = torch.stack([(~losses.isfinite()).any().float(), (~norm.isfinite()).float(), empty.float()])
    loss, gradient, without_targets = trainer.strategy.reduce(facts, reduce_op="sum").tolist()
    return loss > 0, gradient > 0, int(without_targets)


def find(trainer: L.Trainer, module: Any, window: list[MicroBatch], what: str) -> tuple[Finding, Batch] | None:
    """This process's micro batch at fault, if it has one. Each process does as many passes as any other."""
    if what == "loss":
        wrong = [number for number, micro in enumerate(window) if not math.isfinite(micro.loss)]  # type: ignore[arg-type]
        number = wrong[0] if wrong else 0
        found = follow_loss(trainer, module, number + 1, window[number])
        return on_cpu(found) if wrong else None
    if is_sharded(module.model):
        return None
    module.zero_grad(set_to_none=True)  # of no more use, and their memory is needed
    for number, micro in enumerate(window):
        if (guilty := follow_gradient(trainer, module, number + 1, micro)) is not None:
            return on_cpu(guilty)
    return None


def on_cpu(found: tuple[Finding, Batch]) -> tuple[Finding, Batch]:
    return found[0], {name: x.cpu() if isinstance(x, Tensor) else x for name, x in found[1].items()}


def described(finding: Finding, micro_batches: int, rank: int, world: int) -> list[str]:
    device = f" on device {rank + 1} of {world}" if world > 1 else ""
    shown = ", ".join(str(index) for _, index in finding.samples[:8]) + (", ..." if len(finding.samples) > 8 else "")
    epochs = " and ".join(str(epoch) for epoch in sorted({epoch for epoch, _ in finding.samples}))
    losses = ", ".join(f"{name} {value:.4g}" for name, value in finding.loss_parts.items())
    lines = [
        f"  in micro batch {finding.micro_batch} of {micro_batches}{device}: samples {shown} of epoch {epochs}",
        f"  there: {losses}",
    ]
    lines += [f"  weights that are not finite: {', '.join(finding.weights[:4])}"] * bool(finding.weights)
    lines += [f"  inputs that are not finite: {', '.join(finding.inputs)}"] * bool(finding.inputs)
    lines += [f"  the first module whose output is not finite: {finding.module}"] * bool(finding.module)
    lines += [f"  where the backward pass stopped being finite: {finding.gradient}"] * bool(finding.gradient)
    return lines


def keep(run: RunDirectory, step: int, rank: int, finding: Finding, batch: Batch) -> str:
    """Write the batch, which `torch.load(path, weights_only=True)` reads, and beside it what was found as json."""
    path = run.path / "non_finite" / f"step-{step:08d}.pt"
    told = asdict(finding) | {"step": step, "device": rank}
    told["loss_parts"] = {name: repr(value) for name, value in finding.loss_parts.items()}  # json has no nan
    try:
        path.parent.mkdir(exist_ok=True)
        torch.save(batch, path)
        Path(path.with_suffix(".json")).write_text(json.dumps(told, indent=2) + "\n")
    except OSError as error:
        return f"nothing, because {path} cannot be written ({error})"
    return str(path)
