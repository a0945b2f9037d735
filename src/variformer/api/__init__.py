"""What does `variformer` offer in Python? What the commands do, as functions.

interface.py: the public functions and `Run`. loaded.py: what `load` gives, a model that writes and fills.
composing.py: configs, without a change to Hydra's state in the program.
undisturbed.py: training that leaves random states, warnings and switches of the program as they were.
"""
