"""The keys of an experiment and of an evaluation: what conf/train.yaml and conf/evaluate.yaml compose to."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, TypeAlias

from ..paths import FolderOrName, LocalPath
from ..ranges import Count, Positive, Seed, Whole

# Whatever is built: a dict with `_target_`. The check reads this name, not its meaning.
Node: TypeAlias = Any


@dataclass
class TrainerSettings:
    """What Lightning's Trainer is told, as far as a run may choose it."""

    accelerator: str = "auto"
    devices: Count | Literal["auto"] = 1
    nodes: Count = 1
    strategy: Literal["auto", "ddp", "fsdp"] = "auto"
    validate_every: Count | None = None  # optimizer steps
    validation_samples: Count | None = None  # drawn over the whole split, always the same; None: all of them
    save_every: Count | None = None  # optimizer steps
    log_every: Count = 10  # optimizer steps
    workers: Whole = 0  # of each data loader
    deterministic: bool = True
    progress: bool = True
    one_batch: bool = False  # train on the first batch alone
    detect_anomaly: bool = False  # torch.autograd's
    auto_micro_batch: bool = False  # find the largest micro batch that fits, whatever micro_batch says
    requeue: bool = True


@dataclass
class Experiment:
    """One run. Batches count samples; steps are optimizer steps."""

    model: Node
    objective: Node | None  # None where a model was imported with a head that no objective here evaluates
    data: Node
    optimizer: Node
    schedule: Node | None = None
    tokenizer: Node | None = None
    seed: Seed = 0
    name: str = "run"
    run_dir: str = "runs/run"  # as given: a run is where it lies, and nothing reads this one later
    sweep_dir: LocalPath | None = None  # of a run that is a trial
    allow: str | list[str] = field(default_factory=list)  # packages whose classes may be named; no run keeps this
    validate_only: bool = False  # check and build everything, tell what the run will be and take, and stop
    resume: bool | Literal["auto"] = False
    repeat: LocalPath | None = None  # a run directory, or the run.json of one
    repeat_anyway: bool = False  # whether or not its data is there unchanged
    init_from: FolderOrName | None = None  # a run directory or a Hugging Face model: weights to start from
    length: Count | None = None  # tokens in a sample; None where samples are images
    global_batch: Count = 32
    micro_batch: Count | None = None  # samples on one device at a time; None: as many as there are
    eval_batch: Count | None = None
    max_steps: Count | None = None
    max_epochs: Positive | None = None
    clip: Positive | None = None  # largest norm of the gradient
    on_non_finite: Literal["stop", "skip"] = "stop"  # a step whose loss or gradient is not finite
    precision: Literal["32-true", "bf16-mixed", "bf16-true", "16-mixed"] = "32-true"
    compile: Literal["none", "default", "reduce-overhead", "max-autotune", "max-autotune-no-cudagraphs"] = "none"
    checkpointing: bool = False  # keep only the blocks' inputs, and compute the rest again in the backward pass
    trainer: TrainerSettings = field(default_factory=TrainerSettings)
    callbacks: dict[str, Node | None] = field(default_factory=dict)
    logger: dict[str, Node | None] = field(default_factory=dict)
    metrics: dict[str, Node | None] = field(default_factory=dict)  # of torchmetrics, at each validation


def experiment(config: Mapping[str, Any]) -> Experiment:
    """A checked config as a dataclass. A key that an earlier version did not write has its default."""
    return Experiment(**{**config, "trainer": TrainerSettings(**config["trainer"])})


@dataclass
class Evaluation:
    """One command of `variformer evaluate`."""

    run_dir: str
    split: Literal["val", "test"] = "val"
    checkpoint: str | None = None  # last, best or a file's name; None: last, of another model best where there is one
    eval_batch: int | None = None  # samples at a time
    other_model: FolderOrName | None = None  # scored in place of the run's own model
    data: dict[str, Any] = field(default_factory=dict)  # in place of values of the run's own
    data_anyway: bool = False  # whether or not the data are those of the run
    allow: str | list[str] = field(default_factory=list)  # packages whose classes the run may name
