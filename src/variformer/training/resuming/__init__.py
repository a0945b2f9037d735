"""How does a run that was stopped go on as if it had not been stopped?

checkpoint_io   reads and writes the files, with checksums; tolerates a full disk a few times
checkpoints     when checkpoints are written and which are kept: the newest ones, and the best one
random_state    the random generators in a checkpoint
resumption      where a resumed run goes on, and the record of a session once its checkpoint is accepted
preemption      acts on signals at the end of a step or a validation batch, on all processes alike
requeue         puts a job that SLURM has warned back into its queue

Lightning calls `checkpoints`, `random_state`, `resumption` and `preemption` as callbacks, and `checkpoint_io` for every
file. `preemption` asks all callbacks to save before it ends the process. `runs.stopping` uses `requeue`.
"""
