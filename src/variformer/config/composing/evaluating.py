"""What a command of `variformer evaluate` asks for, checked before anything slow is imported."""

from pathlib import Path
from typing import Any

from ..checking.check import ConfigError, bound, section
from ..checking.fitting import config_folders
from ..classes.allowing import allow
from .compose import load
from .paths import anchored


def evaluation(chosen: Any) -> dict[str, Any]:
    """What Hydra composed of conf/evaluate.yaml -> the arguments of `evaluate_run`.

    Raises ConfigError or FileNotFoundError, with one line for each problem.
    """
    from omegaconf import OmegaConf

    plain: Any = OmegaConf.to_container(chosen, resolve=True)
    if plain.get("run_dir") in (None, "???"):
        raise ConfigError(["run_dir: needs a value, the directory of a run: variformer evaluate run_dir=RUN"])
    known = section("Evaluation")
    if problems := list(bound(plain, "", known)):
        raise ConfigError(problems)
    if problems := allow(plain.pop("allow", None), config_folders()):
        raise ConfigError(problems)
    load(Path(plain["run_dir"]))
    return anchored(plain, known)
