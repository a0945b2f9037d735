"""From a config to a run: how it is built, and how it starts, trains, stops, continues, repeats and is evaluated.

The road of a training has four steps, in train.py: prepare, build, record, execute.

run.py: the dataclass `Run`, and the first two steps. It uses task.py (data and objective) and trainer.py (Lightning's
Trainer).
warm_start.py, teacher.py, origins.py: the earlier models that a run builds on.
resumed_changes.py, repeating.py, data_identity.py: what differs from the run that is resumed or repeated.
plan.py, plan_table.py, pace.py, memory.py: what a run will cost, and what to change where that is too much.
stopping.py, ending.py, console.py: the status of a run, how it ended, and what the command prints.
evaluate.py: scoring a finished run.
"""
