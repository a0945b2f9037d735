"""What the value of a validation depends on beside the weights."""

from typing import Any

import lightning as L


def yardstick(trainer: L.Trainer, module: Any) -> dict[str, Any]:
    """The metric, the number of samples and the settings of the task: only under the same ones do values compare."""
    task = getattr(module.objective, "task", module.objective)  # a distillation is evaluated by the task within
    settings = {name: value for name, value in vars(task).items() if isinstance(value, bool | int | float | str)}
    settings = {name: value for name, value in settings.items() if name != "training" and not name.startswith("_")}
    data: Any = trainer.datamodule  # type: ignore[attr-defined]
    about = {"metric": module.objective.monitor, "mode": module.objective.mode, "samples": data.validation_samples}
    return settings | about


def difference(then: dict[str, Any], now: dict[str, Any]) -> str | None:
    """In words; None where they are equal, or where a version that kept none wrote the checkpoint."""
    names = [name for name in then.keys() | now.keys() if then and then.get(name) != now.get(name)]
    return ", ".join(f"{name} {then.get(name)} then and {now.get(name)} now" for name in sorted(names)) or None
