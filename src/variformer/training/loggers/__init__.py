"""Where do the numbers of a run go? Always to a csv file, and to W&B and TensorBoard when asked.

csv_file         metrics.csv, one row per number
dashboard        what a dashboard shows besides numbers, and how all of them are closed
tensorboard      event files
wandb            one W&B run for all sessions of a run; `wandb_session` starts it, `wandb_artifacts` uploads checkpoints
once             keeps repeated numbers out
"""

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
