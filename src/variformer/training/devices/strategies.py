"""The strategy that `trainer.strategy` names."""

from collections.abc import Callable
from datetime import timedelta
from typing import Literal

from lightning.pytorch.plugins.environments import ClusterEnvironment, SLURMEnvironment, TorchElasticEnvironment
from lightning.pytorch.strategies import Strategy

from .replication import ReplicatedStrategy
from .sharding import ShardedStrategy

Name = Literal["auto", "ddp", "fsdp"]
PATIENCE = timedelta(minutes=10)  # how long a process waits for the others


def strategy(name: Name, devices: int | Literal["auto"] = 1, nodes: int = 1) -> Strategy | str:
    """A strategy for Lightning's trainer. "auto" is ddp where several devices are asked for, else Lightning chooses."""
    if name == "auto" and (nodes > 1 or devices not in (1, "auto")):
        name = "ddp"
    return STRATEGIES[name]() if name in STRATEGIES else name


def environments() -> list[ClusterEnvironment]:
    """SLURM's environment without its requeueing: the run requeues the job once its checkpoint is written."""
    is_slurm = SLURMEnvironment.detect() and not TorchElasticEnvironment.detect()
    return [SLURMEnvironment(auto_requeue=False)] if is_slurm else []


STRATEGIES: dict[str, Callable[[], Strategy]] = {
    "ddp": lambda: ReplicatedStrategy(timeout=PATIENCE, gradient_as_bucket_view=True),
    "fsdp": lambda: ShardedStrategy(timeout=PATIENCE),
}
