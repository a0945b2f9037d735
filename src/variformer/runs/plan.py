"""What `validate_only=true` does: build all that a run needs, and show its plan without taking a step."""

import sys
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

import torch
from lightning.pytorch.utilities.exceptions import MisconfigurationException
from torch import nn

from ..analysis.cost import hardware_flops, model_flops
from ..analysis.machine_memory import free_memory
from ..config import discard
from ..config.heads import joined
from ..exchange.outgoing import exports
from ..layers import Transformer
from ..run_directory.directory import RunDirectory
from ..training.schedules import interval
from .console import quieten
from .memory import estimator
from .pace import long_samples, peak_of, slow_steps
from .plan_table import Plan, show
from .run import Config, Run, build, prepare


def show_plan(config: Config) -> None:
    """Print the plan of a run, or what prevents the run, and then exit with code 2. No run directory stays."""
    try:
        show(plan(config))
    except (ValueError, OSError, MisconfigurationException) as error:
        print(error, file=sys.stderr)
        raise SystemExit(2) from None
    finally:
        discard(Path(config["run_dir"]))


def plan(config: Config) -> Plan:
    """The plan of a run. Raises what the run itself would raise before its first step."""
    quieten()
    settings = config | {"trainer": config["trainer"] | {"workers": 0}, "logger": {}}
    preparation = prepare(settings, RunDirectory(config["run_dir"]))
    with TemporaryDirectory() as folder:  # the Trainer's first files go with the folder
        preparation.directory = RunDirectory(folder)
        return described(build(preparation), config)


def described(run: Run, config: Config) -> Plan:
    batch = next(iter(run.data_module.train_dataloader()))
    accumulation, devices = int(run.trainer.accumulate_grad_batches), run.trainer.world_size
    micro_batches = accumulation * devices
    model, objective, device = run.module.model, run.task.objective, run.trainer.strategy.root_device
    samples = {name: len(run.data_module.view(name)) for name in ("train", "val")}
    settings, total, length = run.config.trainer, run.steps, run.config.length
    computed = hardware_flops(model, objective, batch, checkpointing=run.config.checkpointing) * micro_batches
    peak = peak_of(run)
    return Plan(
        config=config,
        device=device,
        devices=devices,
        model=type(model).__name__,
        parts=dict(parts_of(model)),
        exports=exports(model, joined(run.config.model, run.config.head)),
        samples=samples,
        batch={name: shape(value) for name, value in batch.items() if isinstance(value, torch.Tensor)},
        unit=objective.unit,
        units=batch["count"] * micro_batches,
        micro_batch=run.data_module.micro_batch,
        accumulation=accumulation,
        steps=total,
        epochs=total * run.config.global_batch / samples["train"],
        validations=-(-total // interval(settings.validate_every, total)),  # the last one after the last step
        checkpoints=-(-total // (settings.save_every or total)),
        memory=estimator(run)(),
        free=free_memory(device),
        flops=model_flops(model, objective, batch) * micro_batches,
        computed=computed,
        peak=peak,
        warnings=[*long_samples(length, run.task.data.report), *slow_steps(length, computed, peak)],
    )


def parts_of(model: nn.Module) -> Iterator[tuple[str, int]]:
    """The number of parameters of each part. A parameter that several parts share counts for the first of them."""
    seen: set[int] = set()
    for name, part in model.named_children():
        inner = part.named_children() if isinstance(part, Transformer) else [("", part)]
        for own, each in inner:
            new = {id(p): p.numel() for p in each.parameters() if id(p) not in seen}
            seen |= new.keys()
            yield f"{name}.{own}".rstrip("."), sum(new.values())
    yield "others", sum(p.numel() for p in model.parameters() if id(p) not in seen)


def shape(tensor: torch.Tensor) -> str:
    """The sizes and the data type of a tensor, in words."""
    sizes = " x ".join(map(str, tensor.shape)) or "1"
    return f"{sizes} {str(tensor.dtype).removeprefix('torch.')}"
