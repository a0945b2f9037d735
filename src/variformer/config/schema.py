"""The keys of an experiment and of an evaluation, which conf/train.yaml and conf/evaluate.yaml compose."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, TypeAlias

from ..paths import FolderOrName, LocalPath
from ..ranges import Count, Fraction, PartOrAll, Positive, Seed, Whole

# A dict with `_target_`, which is built. The check reads only the name `Node`.
Node: TypeAlias = Any


@dataclass
class TrainerSettings:
    """The arguments of Lightning's Trainer that a run may choose."""

    accelerator: str = "auto"
    devices: Count | Literal["auto"] = 1
    nodes: Count = 1
    strategy: Literal["auto", "ddp", "fsdp"] = "auto"
    validate_every: Count | Fraction | None = None  # optimizer steps, or a share of them all
    validation_samples: Count | None = None  # from all parts of the split, always the same; None: all of them
    save_every: Count | None = None  # optimizer steps
    log_every: Count = 10  # optimizer steps
    workers: Whole = 0  # of each data loader
    buckets: Count = 50  # global batches whose samples are sorted by length together; 1: none
    deterministic: bool = True
    progress: bool = True
    one_batch: bool = False  # train only on the first batch
    detect_anomaly: bool = False  # torch.autograd's
    auto_micro_batch: bool = False  # find the largest micro batch that fits, and ignore micro_batch
    requeue: bool = True


@dataclass
class TuningSettings:
    """What of a model is trained, and how fast. Names of parameters may have *, as in a shell."""

    frozen: list[str] = field(default_factory=list)
    trained: list[str] = field(default_factory=list)  # although `frozen` names them too
    layer_decay: PartOrAll = 1.0
    head_lr: Positive = 1.0
    adapters: Node | None = None


@dataclass
class Experiment:
    """One run. Batches count samples; steps are optimizer steps."""

    model: Node
    objective: Node | None  # None if a model was imported with a head that no objective evaluates
    data: Node
    optimizer: Node
    schedule: Node | None = None
    head: Node | None = None  # built on the model, which then is its body
    tokenizer: Node | None = None
    seed: Seed = 0
    name: str = "run"
    run_dir: str = "runs/run"  # as given; a run can be moved, so nothing reads this value later
    sweep_dir: LocalPath | None = None  # of a run that is a trial
    allow: str | list[str] = field(default_factory=list)  # packages whose classes may be named; no run saves this
    validate_only: bool = False  # check and build everything, show the plan of the run, and stop
    resume: bool | Literal["auto"] = False
    repeat: LocalPath | None = None  # a run directory, or the run.json of one
    repeat_anyway: bool = False  # even if its data has changed
    init_from: FolderOrName | None = None  # a run directory or a Hugging Face model: weights to start from
    length: Count | None = None  # tokens in a sample; None where samples are images
    global_batch: Count = 32
    micro_batch: Count | None = None  # samples that one device computes at once; None: all of its part
    eval_batch: Count | None = None
    max_steps: Count | None = None
    max_epochs: Positive | None = None
    clip: Positive | None = None  # largest norm of the gradient
    on_non_finite: Literal["stop", "skip"] = "stop"  # a step whose loss or gradient is not finite
    precision: Literal["32-true", "bf16-mixed", "bf16-true", "16-mixed"] = "32-true"
    compile: Literal["none", "default", "reduce-overhead", "max-autotune", "max-autotune-no-cudagraphs"] = "none"
    checkpointing: bool = False  # keep only the inputs of blocks, and compute the rest again in the backward pass
    tuning: TuningSettings = field(default_factory=TuningSettings)
    trainer: TrainerSettings = field(default_factory=TrainerSettings)
    callbacks: dict[str, Node | None] = field(default_factory=dict)
    logger: dict[str, Node | None] = field(default_factory=dict)
    metrics: dict[str, Node | None] = field(default_factory=dict)  # of torchmetrics, at each validation


def experiment(config: Mapping[str, Any]) -> Experiment:
    """A checked config as a dataclass. A key that an earlier version did not write has its default."""
    trainer, tuning = TrainerSettings(**config.get("trainer", {})), TuningSettings(**config.get("tuning", {}))
    return Experiment(**{**config, "trainer": trainer, "tuning": tuning})


@dataclass
class Evaluation:
    """One command of `variformer evaluate`."""

    run_dir: str
    split: Literal["val", "test"] = "val"
    checkpoint: str | None = None  # last, best or a file's name; None: last, of another model best where there is one
    eval_batch: int | None = None  # samples in a batch
    other_model: FolderOrName | None = None  # scored in place of the run's model
    data: dict[str, Any] = field(default_factory=dict)  # values of the run's data to change
    data_anyway: bool = False  # even if the data are not those of the run
    allow: str | list[str] = field(default_factory=list)  # packages whose classes the run may name
