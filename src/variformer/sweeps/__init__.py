"""Many runs of one experiment: grids and searches, in which each trial is a process.

- `planning`: what the command line asks for. `space`: the values that a search proposes.
- `sweeping`: the sweep, from its plan to its report. `search`: what Optuna adds to it.
- `directory`: the folder of a sweep. `trials`: the records of its trials.
- `trial_job`: the job that runs one trial. `process`: its process. `devices`: its GPUs. `outcome`: what became of it.
- `report`: the table and the best trial. `figures`, `axis`: the pictures. `wandb`: a search as a file for W&B.

Nothing here imports torch or Lightning, and this module imports no optuna.
"""

from .trial_job import is_trial, run_trial

__all__ = ["is_trial", "run_trial"]
