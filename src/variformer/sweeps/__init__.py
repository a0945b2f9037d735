"""Many runs of one experiment: grids and searches, each trial a process of its own. Imports no optuna at its top."""

from .trial_job import is_trial, run_trial

__all__ = ["is_trial", "run_trial"]
