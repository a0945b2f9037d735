"""TensorBoard's event files."""

from argparse import Namespace
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, cast

import yaml
from lightning.pytorch.loggers import TensorBoardLogger
from lightning.pytorch.loggers.logger import DummyExperiment, rank_zero_experiment
from lightning.pytorch.utilities import rank_zero_only

from ...ranges import Whole
from .dashboard import OPEN, Dashboard, Values
from .once import Once

if TYPE_CHECKING:
    from torch.utils.tensorboard import SummaryWriter


class TensorBoard(Dashboard, TensorBoardLogger):
    """Curves, samples and figures as event files in the run directory. Needs the extra `variformer[tensorboard]`.

    A resumed run purges what an earlier session logged after the step that it goes on from. A new run purges all.
    """

    title, library = "TensorBoard", "tensorboard"

    def __init__(self, run_dir: str, resume_step: Whole | None = None, logged_step: Whole | None = None):
        purged = 0 if resume_step is None else resume_step + 1
        try:
            super().__init__(save_dir=run_dir, name="tensorboard", version="", purge_step=purged)
        except ModuleNotFoundError as error:
            raise ModuleNotFoundError(
                "logger=tensorboard needs TensorBoard: pip install 'variformer[tensorboard]'"
            ) from error
        self.once = Once()

    @property
    @rank_zero_experiment
    def experiment(self) -> "SummaryWriter":
        """TensorBoard's writer; once it has failed, a stand-in that does nothing."""
        return cast("SummaryWriter", DummyExperiment()) if self.is_off else super().experiment

    @rank_zero_only
    def log_hyperparams(self, params: Values | Namespace, *args: object, **kwargs: object) -> None:
        """The config as a text, nested as it is."""
        OPEN.append(self)
        self.guarded(lambda: self.experiment.add_text("config", as_text(params)))

    @rank_zero_only
    def amend_config(self, values: Values) -> None:
        self.guarded(lambda: self.experiment.add_text("config/amended", as_text(values)))

    @rank_zero_only
    def log_metrics(self, metrics: Mapping[str, float], step: int | None = None) -> None:
        self.guarded(lambda: TensorBoardLogger.log_metrics(self, self.once(metrics, step), step))

    @rank_zero_only
    def log_samples(self, folder: Path, step: int) -> None:
        text = (folder / f"step-{step:08d}.txt").read_text(encoding="utf-8")
        self.guarded(lambda: self.experiment.add_text("samples", f"```\n{text}\n```", step))

    @rank_zero_only
    def log_figure(self, name: str, path: Path, step: int) -> None:
        import numpy as np
        from PIL import Image

        with Image.open(path) as image:
            pixels = np.asarray(image.convert("RGB"))
        self.guarded(lambda: self.experiment.add_image(f"figures/{name}", pixels, step, dataformats="HWC"))

    @rank_zero_only
    def log_end(self, line: str, facts: Values, step: int) -> None:
        self.guarded(lambda: self.experiment.add_text("ended", line, step))

    @rank_zero_only
    def finalize(self, status: str) -> None:
        """Lightning calls this after every stage; the file stays open for what comes after."""
        self.guarded(lambda: self.experiment.flush())

    def close(self, status: str) -> None:
        self.guarded(lambda: self.experiment.close())


def as_text(values: object) -> str:
    return f"```yaml\n{yaml.safe_dump(values, sort_keys=False)}```"
