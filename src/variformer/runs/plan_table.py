"""The plan of a run, as tables to read."""

import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

import torch
from rich.console import Console
from rich.table import Table

from ..analysis.memory import Memory, readable
from ..training.schedules import interval

Rows = Iterator[tuple[str, str]]


@dataclass(frozen=True)
class Plan:
    """What a run will be. Sizes of memory are bytes on one device.

    `flops` is the model's own number of operations in one step, on all devices; `computed` is what the devices compute.
    """

    config: dict[str, Any]
    device: torch.device
    devices: int
    model: str
    parts: dict[str, int]  # parameters by part
    exports: str  # as which class of transformers, or why with its own code
    samples: dict[str, int]  # of the splits for training and validation
    batch: dict[str, str]  # the shapes of a micro batch
    unit: str  # tokens or images
    units: int  # in one step, as in the first
    micro_batch: int
    accumulation: int
    steps: int
    epochs: float
    validations: int
    checkpoints: int
    memory: Memory | None
    free: int | None
    flops: float
    computed: float  # also recomputation by checkpointing, a teacher, and attention outside of windows
    peak: float  # FLOP/s of all devices, as one large matrix product reaches it
    warnings: list[str] = field(default_factory=list)  # of samples and steps that are very long

    @property
    def parameters(self) -> int:
        return sum(self.parts.values())


def show(plan: Plan) -> None:
    console = Console(highlight=False, width=None if sys.stdout.isatty() else 160)  # a log wraps no paths
    console.print(f"[bold]{plan.config['name']}[/bold]: all is well. With validate_only=true the run ends here.")
    for warning in plan.warnings:
        console.print(f"[yellow]warning:[/yellow] {warning}")
    sections = {"model": model_rows, "data": data_rows, "run": run_rows, "memory": memory_rows, "work": work_rows}
    for title, rows in sections.items():
        table = Table(title=title, title_justify="left", title_style="bold", box=None, show_header=False)
        table.add_column(min_width=24)
        for row in rows(plan):
            table.add_row(*row)
        console.print(table)


def model_rows(plan: Plan) -> Rows:
    yield "class", plan.model
    yield "parameters", f"{plan.parameters:,}"
    for name, count in plan.parts.items():
        if count:
            yield f"  {name}", f"{count:,} ({count / plan.parameters:.1%})"
    yield "exports", plan.exports


def data_rows(plan: Plan) -> Rows:
    for split, count in plan.samples.items():
        yield f"{split} samples", f"{count:,}"
    for name, shapes in plan.batch.items():
        yield f"  batch: {name}", shapes


def run_rows(plan: Plan) -> Rows:
    config, trainer = plan.config, plan.config["trainer"]
    yield "directory", str(config["run_dir"])
    yield "devices", f"{plan.devices} x {plan.device.type}, strategy {trainer['strategy']}"
    yield "precision", f"{config['precision']}, compile {config['compile']}"
    geometry = f"{plan.micro_batch} at a time x {plan.accumulation} in a row x {plan.devices} device(s)"
    yield "global batch", f"{config['global_batch']} samples = {geometry}"
    if trainer["auto_micro_batch"]:
        yield "", "the run itself finds the largest micro batch that fits"
    yield "steps", f"{plan.steps:,}, {plan.epochs:.3g} epochs"
    yield plan.unit, f"{plan.units:,} in the first step, about {plan.units * plan.steps:,} in all"
    few = trainer["validation_samples"]
    extent = "the whole split" if few is None else f"{min(few, plan.samples['val']):,} samples"
    every = trainer["validate_every"]
    validated = often(None if every is None else interval(every, plan.steps))
    yield "validations", f"{plan.validations}, {validated}, of {extent}"
    yield "checkpoints", f"{plan.checkpoints}, {often(trainer['save_every'])}{checkpoint_size(plan.memory)}"


def often(every: int | None) -> str:
    return "at the end" if every is None else f"every {every} steps"


def checkpoint_size(memory: Memory | None) -> str:
    return "" if memory is None else f", of about {readable(memory.weights + memory.optimizer + memory.copies)} each"


def memory_rows(plan: Plan) -> Rows:
    memory = plan.memory
    if memory is None:
        yield "a training step", "cannot be estimated: some operation of this model has no stand-in without data"
        return
    yield "weights", readable(memory.weights)
    yield "gradients", readable(memory.gradients)
    yield "optimizer", readable(memory.optimizer)
    if memory.copies:
        yield "moving average", readable(memory.copies)
    yield "activations", readable(memory.activations)
    yield "in all, on each device", f"about {readable(memory.total)}"
    if plan.free is not None:
        short = memory.total > plan.free
        cure = ": too little; lower micro_batch, or set checkpointing=true" if short else ""
        yield "free", f"{readable(plan.free)}{cure}"


def work_rows(plan: Plan) -> Rows:
    yield "a step", f"{plan.flops:.3g} FLOP of the model"
    yield "all steps", f"{plan.flops * plan.steps:.3g} FLOP of the model"
    if plan.computed > plan.flops:
        more = "checkpointing, a teacher or windows compute more than the model asks for"
        yield "  computed", f"{plan.computed * plan.steps:.3g} FLOP: {more}"
    yield "peak of the device(s)", f"{plan.peak:.3g} FLOP/s, in one large matrix product"
    shortest = timedelta(seconds=round(plan.computed * plan.steps / plan.peak))
    yield "training", f"at least {shortest} (h:mm:ss): a run reaches a part of the peak"
