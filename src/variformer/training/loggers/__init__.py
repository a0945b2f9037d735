"""Where curves go: a csv file always, W&B and TensorBoard when asked."""

from ...run_directory.curves import read_curves
from .csv_file import CSV
from .dashboard import Dashboard, dashboards_closed, show_end, show_figures, show_samples
from .tensorboard import TensorBoard
from .wandb import Wandb

__all__ = [
    "CSV",
    "Dashboard",
    "TensorBoard",
    "Wandb",
    "dashboards_closed",
    "read_curves",
    "show_end",
    "show_figures",
    "show_samples",
]
