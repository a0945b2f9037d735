"""What does a validation decide: which weights it evaluates, which value is better, and when the training stops?

average         an exponential moving average of the weights, which validations use in their place
conditions      what a validation's value depends on besides the weights: only under equal conditions values compare
early_stopping  ends a run whose validations no longer get better
pruning         ends a trial of a search that is worse than the others

Each callback acts on its own. `early_stopping` and `resuming.checkpoints` use `conditions`.
"""
