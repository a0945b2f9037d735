"""What was found out about a value that is not finite: as lines of a message, and as files that keep the batch."""

import json
from dataclasses import asdict, dataclass
from pathlib import Path

import torch
from torch import Tensor

from ...data.order import Index
from ...objectives.objective import Batch
from ...run_directory.directory import RunDirectory

SHOWN_SAMPLES, SHOWN_WEIGHTS = 8, 4  # in a message


@dataclass
class Finding:
    """A micro batch at fault, and the first places where it shows, by name; empty where nothing was found."""

    micro_batch: int  # counted from 1 within its step
    samples: list[Index]
    loss_parts: dict[str, float]
    weights: list[str]
    inputs: list[str]
    module: str | None = None  # in the order of the forward pass
    gradient: str | None = None  # the output (or parameter) that the backward pass reaches first


def on_cpu(found: tuple[Finding, Batch]) -> tuple[Finding, Batch]:
    return found[0], {name: x.cpu() if isinstance(x, Tensor) else x for name, x in found[1].items()}


def described(finding: Finding, micro_batches: int, rank: int, world: int) -> list[str]:
    device = f" on device {rank + 1} of {world}" if world > 1 else ""
    shown = ", ".join(str(index) for _, index in finding.samples[:SHOWN_SAMPLES])
    shown += ", ..." if len(finding.samples) > SHOWN_SAMPLES else ""
    epochs = " and ".join(str(epoch) for epoch in sorted({epoch for epoch, _ in finding.samples}))
    losses = ", ".join(f"{name} {value:.4g}" for name, value in finding.loss_parts.items())
    lines = [
        f"  in micro batch {finding.micro_batch} of {micro_batches}{device}: samples {shown} of epoch {epochs}",
        f"  there: {losses}",
    ]
    if finding.weights:
        lines.append(f"  weights that are not finite: {', '.join(finding.weights[:SHOWN_WEIGHTS])}")
    if finding.inputs:
        lines.append(f"  inputs that are not finite: {', '.join(finding.inputs)}")
    if finding.module:
        lines.append(f"  the first module whose output is not finite: {finding.module}")
    if finding.gradient:
        lines.append(f"  where the backward pass stopped being finite: {finding.gradient}")
    return lines


def keep_batch(run: RunDirectory, step: int, rank: int, finding: Finding, batch: Batch) -> str:
    """Write the batch, which `torch.load(path, weights_only=True)` reads, and beside it the finding as json.

    Returns the path, or why nothing was written.
    """
    path = run.path / "non_finite" / f"step-{step:08d}.pt"
    facts = asdict(finding) | {"step": step, "device": rank}
    facts["loss_parts"] = {name: repr(value) for name, value in finding.loss_parts.items()}  # json has no nan
    try:
        path.parent.mkdir(exist_ok=True)
        torch.save(batch, path)
        Path(path.with_suffix(".json")).write_text(json.dumps(facts, indent=2) + "\n")
    except OSError as error:
        return f"nothing, because {path} cannot be written ({error})"
    return str(path)
