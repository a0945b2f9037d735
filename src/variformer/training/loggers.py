"""Where curves go: a csv file always, W&B and TensorBoard when asked."""

import csv
from argparse import Namespace
from pathlib import Path
from typing import Any, Literal

from lightning.pytorch.loggers import Logger
from lightning.pytorch.utilities import rank_zero_only


class CSV(Logger):
    """metrics.csv with one row per number: step, metric, value.

    Rows are only ever appended, so that nothing is lost when a run dies; a resumed run first drops the rows of steps
    that it will take again. `pandas.read_csv(path).pivot(index="step", columns="metric", values="value")` is the wide
    table.
    """

    def __init__(self, path: str | Path, resume_step: int | None = None):
        super().__init__()
        self.path = Path(path)
        kept = read_curves(self.path) if resume_step is not None else []
        with self.path.open("w", newline="") as file:
            writer = csv.writer(file)
            writer.writerow(["step", "metric", "value"])
            writer.writerows(row for row in kept if row[0] <= (resume_step or 0))

    @property
    def name(self) -> str:
        return "csv"

    @property
    def version(self) -> str:
        return ""

    def log_hyperparams(self, params: dict[str, Any] | Namespace, *args: Any, **kwargs: Any) -> None:
        """The config has a file of its own."""

    @rank_zero_only
    def log_metrics(self, metrics: dict[str, float], step: int | None = None) -> None:
        with self.path.open("a", newline="") as file:
            csv.writer(file).writerows([step, name, repr(float(value))] for name, value in metrics.items())


def read_curves(path: str | Path) -> list[tuple[int, str, float]]:
    """(step, metric, value) of every whole row of a metrics.csv; none where there is no file."""
    if not Path(path).is_file():
        return []
    with Path(path).open(newline="") as file:
        rows = [row for row in csv.reader(file) if len(row) == 3][1:]
    return [(int(step), name, float(value)) for step, name, value in rows]


def wandb(
    run_dir: str,
    *,
    project: str = "variformer",
    entity: str | None = None,
    group: str | None = None,
    name: str | None = None,
    tags: list[str] | None = None,
    mode: Literal["online", "offline", "disabled"] | None = None,
) -> Logger:
    """Weights & Biases; `mode` defaults to $WANDB_MODE. All curves share the axis trainer/global_step."""
    import os

    from lightning.pytorch.loggers import WandbLogger

    offline = (mode or os.environ.get("WANDB_MODE", "online")) == "offline"
    logger = WandbLogger(
        project=project, entity=entity, group=group, name=name, tags=tags, save_dir=run_dir, offline=offline
    )
    return logger


def tensorboard(run_dir: str) -> Logger:
    """TensorBoard event files in the run directory. Needs the extra `variformer[tensorboard]`."""
    from lightning.pytorch.loggers import TensorBoardLogger

    return TensorBoardLogger(save_dir=run_dir, name="tensorboard", version="")


def log_text(logger: Logger, name: str, text: str, step: int) -> None:
    """A text to a dashboard: a table in W&B, a text panel in TensorBoard, nothing elsewhere."""
    if hasattr(logger, "log_text"):
        logger.log_text(key=name, columns=["step", "text"], data=[[step, text]], step=step)
    elif hasattr(logger, "experiment"):  # a TensorBoard writer
        logger.experiment.add_text(name, f"```\n{text}\n```", step)
