"""Is a config right?

- `check`: each value by itself, against the arguments of the class that takes it.
- `compatibility`: whether the model, the objective and the data fit each other.
- `consistency`: values that are wrong together.
- `defaults`: the keys of an experiment, and the values of those that a config leaves out.
"""
