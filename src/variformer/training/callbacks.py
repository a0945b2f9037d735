"""What happens beside the training step, each in a file of its own."""

from .memory.micro_batch import AutoMicroBatch
from .non_finite.callback import NonFinite
from .resuming.checkpoints import BestCheckpoint, Checkpoints
from .resuming.preemption import Preemption
from .resuming.random_state import RandomState
from .resuming.resumption import Resumption
from .validation.average import MovingAverage
from .validation.early_stopping import EarlyStopping
from .validation.pruning import Pruning
from .watching.curves import Curves
from .watching.profile import Profile
from .watching.progress import Bar, EvaluationBar
from .watching.samples import Samples
from .watching.throughput import Throughput

__all__ = [
    "AutoMicroBatch",
    "Bar",
    "BestCheckpoint",
    "Checkpoints",
    "Curves",
    "EarlyStopping",
    "EvaluationBar",
    "MovingAverage",
    "NonFinite",
    "Preemption",
    "Profile",
    "Pruning",
    "RandomState",
    "Resumption",
    "Samples",
    "Throughput",
]
