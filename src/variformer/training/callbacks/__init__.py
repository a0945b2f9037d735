"""What happens beside the training step, each in a file of its own."""

from .average import MovingAverage
from .checkpoints import BestCheckpoint, Checkpoints
from .curves import Curves
from .early_stopping import EarlyStopping
from .micro_batch import AutoMicroBatch
from .non_finite import NonFinite
from .preemption import Preemption
from .profile import Profile
from .progress import Bar, EvaluationBar
from .pruning import Pruning
from .random_state import RandomState
from .resumption import Resumption
from .samples import Samples
from .throughput import Throughput

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
