"""What a run leaves on disk, and how it is read again. Nothing here imports Lightning, so that sweeps start fast.

directory.py: the paths of a run, and its small json files.
curves.py: reading metrics.csv.
checkpoint_files.py: writing, checking and reading checkpoints.
newest.py: the checkpoint from which a run continues.
"""
