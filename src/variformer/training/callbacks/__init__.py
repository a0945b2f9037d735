"""What happens beside the training step, each in a file of its own."""

from .average import MovingAverage
from .checkpoints import BestCheckpoint, Checkpoints
from .curves import Curves
from .early_stopping import EarlyStopping
from .progress import Bar
from .random_state import RandomState
from .samples import Samples
from .throughput import Throughput

__all__ = [
    "Bar",
    "BestCheckpoint",
    "Checkpoints",
    "Curves",
    "EarlyStopping",
    "MovingAverage",
    "RandomState",
    "Samples",
    "Throughput",
]
