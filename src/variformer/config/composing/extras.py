"""Which optional packages a command line asks for that are not installed."""

from collections.abc import Sequence
from importlib.util import find_spec

EXTRAS = {  # launch= : the plug-in of Hydra's that it needs, and the extra that brings it
    "local_parallel": ("hydra_plugins.hydra_joblib_launcher", "parallel"),
    "slurm": ("hydra_plugins.hydra_submitit_launcher", "slurm"),
    "slurm_local": ("hydra_plugins.hydra_submitit_launcher", "slurm"),
}


def missing_extras(arguments: Sequence[str]) -> list[str]:
    """A line for each that says how to install it."""
    chosen = {argument.removeprefix("launch=") for argument in arguments if argument.startswith("launch=")}
    return [
        f"launch={name}: needs an extra that is not installed; pip install 'variformer[{extra}]'"
        for name, (plugin, extra) in EXTRAS.items()
        if name in chosen and find_spec(plugin) is None
    ]
