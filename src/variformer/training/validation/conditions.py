"""What the value of a validation depends on besides the weights."""

import lightning as L

from ..contract import run_trainer, training_module

Conditions = dict[str, bool | int | float | str | None]


def conditions(trainer: L.Trainer, module: L.LightningModule) -> Conditions:
    """The metric, the number of samples and the settings of the task: values compare only where these are equal."""
    objective = training_module(module).objective
    task = getattr(objective, "task", objective)  # a distillation is evaluated by the task within
    settings = {name: value for name, value in vars(task).items() if isinstance(value, bool | int | float | str)}
    settings = {name: value for name, value in settings.items() if name != "training" and not name.startswith("_")}
    samples = run_trainer(trainer).datamodule.validation_samples
    return settings | {"metric": objective.monitor, "mode": objective.mode, "samples": samples}


def difference(then: Conditions, now: Conditions) -> str | None:
    """In words; None where they are equal, or where an earlier version wrote a checkpoint without them."""
    names = [name for name in then.keys() | now.keys() if then and then.get(name) != now.get(name)]
    return ", ".join(f"{name} {then.get(name)} then and {now.get(name)} now" for name in sorted(names)) or None
