"""How a run that was stopped goes on as if it never had been: checkpoints, random states, signals, SLURM's queue."""
