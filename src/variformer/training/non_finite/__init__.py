"""What happens when a loss, a gradient or a state is not finite, and what caused it?

callback   looks at each step before it is taken, and stops the run or leaves the step out
tracing    computes the micro batch at fault again, and finds the first module or gradient that is not finite
finding    what was found: as lines of a message, and as files that keep the batch
finite     whether everything that a checkpoint would hold is finite

`callback` uses the three others. `resuming.checkpoints` asks `finite` before it writes.
"""
