"""The check of a run's folder, as a callback of Hydra's. It lies apart, because importing Hydra takes time."""

import sys
from pathlib import Path

from hydra.experimental.callback import Callback
from omegaconf import DictConfig

from .run_folder import folder_problems, name_problems


class FolderCheck(Callback):
    """Ends the process with code 2 and a line for the user where the folder cannot be made.

    conf/train.yaml names this class among Hydra's own `callbacks`.
    """

    def on_run_start(self, config: DictConfig, **_: object) -> None:
        problems = list(name_problems(config.get("name"))) or list(folder_problems(Path(config.hydra.run.dir)))
        if problems:
            print(*problems, sep="\n", file=sys.stderr)
            raise SystemExit(2)
