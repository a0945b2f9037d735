"""Which micro batch is the largest that fits into memory?

micro_batch   finds it by trial before the training, for `trainer.auto_micro_batch`
rehearsal     forward and backward passes of one size, with all the memory taken that training takes besides

`micro_batch` is a callback and uses `rehearsal`. Estimates without a trial are in `analysis.memory`, and what to change
where memory runs out is in `runs.memory`.
"""
