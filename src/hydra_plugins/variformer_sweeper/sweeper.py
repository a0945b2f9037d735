"""`hydra/sweeper=variformer`: from Hydra's interface to variformer.sweeps. Hydra imports this at each start."""

import sys

from hydra.plugins.sweeper import Sweeper
from hydra.types import HydraContext, TaskFunction
from omegaconf import DictConfig


class VariformerSweeper(Sweeper):
    """Reads the settings of conf/hydra/sweeper/variformer.yaml from the config when the sweep starts."""

    def __init__(self, **settings: object):
        super().__init__()

    def setup(self, *, hydra_context: HydraContext, task_function: TaskFunction, config: DictConfig) -> None:
        self.context, self.task, self.config = hydra_context, task_function, config

    def sweep(self, arguments: list[str]) -> None:
        """Run a sweep. Raises SystemExit with 1 if a trial failed, and with 2 if the user has to change something."""
        from hydra.core.plugins import Plugins
        from omegaconf import open_dict

        from variformer.config import ConfigError
        from variformer.sweeps.planning import plan
        from variformer.sweeps.sweeping import Sweep
        from variformer.training.resuming.requeue import put_back_after_a_warning

        config = self.config
        assert config is not None
        try:
            planned = plan(arguments, config)
            with open_dict(config.hydra.sweep):
                config.hydra.sweep.dir = str(planned.where)  # launchers read it too
            try:
                launcher = Plugins.instance().instantiate_launcher(
                    hydra_context=self.context, task_function=self.task, config=config
                )
            except Exception as error:  # of Hydra or of the launcher's plug-in; nothing has been written yet
                raise ConfigError([f"hydra.launcher: cannot be built: {' '.join(str(error).split())}"]) from error
            with put_back_after_a_warning():
                Sweep(planned, config, self.context, launcher).run()
        except ConfigError as error:
            print(error, file=sys.stderr)
            raise SystemExit(2) from None
