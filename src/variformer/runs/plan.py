"""What `validate_only=true` does: build all that a run needs, tell what it will be and take, and take no step."""

import sys
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import lightning as L
import torch
from lightning.pytorch.utilities.exceptions import MisconfigurationException
from torch import nn

from ..analysis.cost import hardware_flops, model_flops
from ..analysis.machine_memory import free_memory
from ..config import discard
from ..exchange.outgoing import exports
from ..hub import locate
from ..layers import Transformer
from ..run_directory.directory import RunDirectory
from ..training.data_module import DataModule
from ..training.module import Training
from .build import Config, Task, build_data_module, build_module, build_task, build_trainer, steps
from .data_identity import data_facts
from .memory import estimator
from .origins import find_teacher
from .pace import long_samples, peak_of, slow_steps
from .plan_table import Plan, show
from .repeating import repetition
from .teacher import bring_teacher
from .train import quieten
from .warm_start import start_from


def show_plan(config: Config) -> None:
    """Print the plan of a run, or what stands in its way, and then leave with code 2. No run directory stays."""
    try:
        show(plan(config))
    except (ValueError, OSError, MisconfigurationException) as error:
        print(error, file=sys.stderr)
        raise SystemExit(2) from None
    finally:
        discard(Path(config["run_dir"]))


def plan(config: Config) -> Plan:
    """Raises what the run itself would raise before its first step."""
    quieten()
    config = config | {"trainer": config["trainer"] | {"workers": 0}}
    L.seed_everything(config["seed"], verbose=False)
    task = build_task(config, RunDirectory(config["run_dir"]).tokenizer if config["resume"] else None)
    facts: dict[str, Any] = {"data": data_facts(task.data)}
    if taught_by := bring_teacher(find_teacher(config), config, task):
        facts["teacher"] = taught_by
    total = steps(config, task)
    with TemporaryDirectory() as folder:  # nothing is left of the trainer's first files
        trainer = build_trainer(config | {"logger": {}}, RunDirectory(folder), total)
    data, module = build_data_module(config, task, trainer.world_size), build_module(config, task)
    task.objective.initialise(module.model)
    source = None if config["resume"] else config.get("init_from")
    if source:
        locate(source)
        facts["init_from"] = start_from(source, module.model, task.tokenizer, config["model"])
    repetition(config, facts)
    return described(config, task, trainer, data, module, total)


def described(config: Config, task: Task, trainer: L.Trainer, data: DataModule, module: Training, total: int) -> Plan:
    batch = next(iter(data.train_dataloader()))
    accumulation, devices = int(trainer.accumulate_grad_batches), trainer.world_size
    micro_batches = accumulation * devices
    device, samples = trainer.strategy.root_device, {name: len(data.view(name)) for name in ("train", "val")}
    settings = config["trainer"]
    computed = hardware_flops(module.model, module.objective, batch, checkpointing=config["checkpointing"])
    computed *= micro_batches
    peak = peak_of(config, trainer)
    length = config["length"]
    return Plan(
        config=config,
        device=device,
        devices=devices,
        model=type(module.model).__name__,
        parts=dict(parts_of(module.model)),
        exports=exports(module.model, config["model"]),
        samples=samples,
        batch={name: shape(value) for name, value in batch.items() if isinstance(value, torch.Tensor)},
        unit=task.objective.unit,
        units=batch["count"] * micro_batches,
        micro_batch=data.micro_batch,
        accumulation=accumulation,
        steps=total,
        epochs=total * config["global_batch"] / samples["train"],
        validations=-(-total // (settings["validate_every"] or total)),  # the last after the last step
        checkpoints=-(-total // (settings["save_every"] or total)),
        memory=estimator(config, trainer, module, data)(),
        free=free_memory(device),
        flops=model_flops(module.model, module.objective, batch) * micro_batches,
        computed=computed,
        peak=peak,
        warnings=[*long_samples(length, task.data.report), *slow_steps(length, computed, peak)],
    )


def parts_of(model: nn.Module) -> Iterator[tuple[str, int]]:
    """Parameters by part, a transformer's own parts one by one. What parts share counts for the first of them."""
    seen: set[int] = set()
    for name, part in model.named_children():
        inner = part.named_children() if isinstance(part, Transformer) else [("", part)]
        for own, each in inner:
            new = {id(p): p.numel() for p in each.parameters() if id(p) not in seen}
            seen |= new.keys()
            yield f"{name}.{own}".rstrip("."), sum(new.values())
    yield "others", sum(p.numel() for p in model.parameters() if id(p) not in seen)


def shape(tensor: torch.Tensor) -> str:
    sizes = " x ".join(map(str, tensor.shape)) or "1"
    return f"{sizes} {str(tensor.dtype).removeprefix('torch.')}"
