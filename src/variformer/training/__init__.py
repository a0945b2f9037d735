"""How is a model trained? Lightning's training loop, and what this package adds to it.

module, data_module   the LightningModule of any model and objective, and the LightningDataModule
optimizer, lamb       optimizers and their groups of parameters
schedules, rates      learning-rate schedules, and the rates of a resumed run
weighting, ratios     exact means over micro batches, batches and devices
compiling             whether this machine can compile; `compile_cache` removes what a killed compiler left

callbacks             the callbacks that a config may name
callback, order       the base of these callbacks: their hooks and their declared order
contract, steps       what a hook may ask of its trainer and its module, and when a step is complete
record, loggers       how numbers reach the curves, and where these go
signals               what a process does when a signal asks it to stop
lightning_private     all private names of Lightning that are used
loss_scale            the loss scale of fp16

resuming, devices, non_finite, memory, watching and validation are rooms with a docstring of their own.
"""
