"""What does a run show of itself while it trains?

curves      losses, learning rates and the gradient's norm, every `trainer.log_every` steps
throughput  the speed, the use of the machine, and what the run has spent so far
progress    the bars of a training and of an evaluation
notebook    the same bar in a notebook
samples     texts that the model writes at each validation
profile     where the time of a few steps goes

Each is a callback that changes nothing. `curves` and `throughput` send their numbers to the loggers by
`training.record`. `progress` shows the `bar_note` of every callback, such as the speed of `throughput`.
"""
