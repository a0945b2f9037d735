"""Which classes may a config name, and what do they take? All is read from source text, without an import.

- `targets`: which `_target_` names are allowed, and where a name is defined.
- `allowed_packages`: how users allow their own packages. `entry_points`: how an installed package allows itself.
- `moved`: old names of classes.
- `modules`: the source file of a module.
- `signatures`: the arguments of a class. `annotations`: the values that an argument takes, as a type and in words.
- `attributes`: what a class says of itself, such as its `kind` or the metric that an objective monitors.
"""
