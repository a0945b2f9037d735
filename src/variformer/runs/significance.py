"""What `variformer significance` does: compare two runs on the samples that both were evaluated on."""

from dataclasses import dataclass

from ..config.schema import experiment
from ..exchange.loading import run_config
from ..metrics.intervals import Comparison, compare
from ..objectives.objective import Objective
from ..run_directory.directory import RunDirectory
from .kept_rows import read_rows
from .task import build_task


@dataclass(frozen=True)
class Significance:
    """Two runs, their values of one metric, and how they differ."""

    runs: tuple[str, str]
    metric: str
    values: tuple[float, float]
    comparison: Comparison
    samples: int
    draws: int

    def lines(self, split: str) -> list[str]:
        """For the terminal."""
        width = max(map(len, self.runs))
        difference, low, high, p = self.comparison
        values = [
            f"{run:<{width}}  {split}/{self.metric} {value:.6g}"
            for run, value in zip(self.runs, self.values, strict=True)
        ]
        return [
            *values,
            f"difference {difference:.4g}, with 95% between {low:.4g} and {high:.4g}, p = {p:.3g} "
            f"(paired bootstrap, {self.draws:,} draws of {self.samples:,} samples)",
        ]


def significance(
    one: str,
    other: str,
    split: str = "test",
    metric: str | None = None,
    checkpoint: str = "last",
    draws: int = 1000,
    seed: int = 0,
) -> Significance:
    """Compare two runs in a metric; None: the one that the first run's objective monitors.

    Both were evaluated on the split, and the evaluations left their rows. The objective of the first run measures both.

    Raises ValueError where the samples or what is kept of them differ, or for an unknown metric.
    Raises FileNotFoundError where a run or its rows are missing.
    """
    runs = [RunDirectory(each) for each in (one, other)]
    ours, theirs = (read_rows(run, split, checkpoint) for run in runs)
    if ours.inputs != theirs.inputs:
        raise ValueError(
            f"{one} and {other} were not evaluated on the same samples of split={split}: {len(ours.table.indices):,} "
            f"and {len(theirs.table.indices):,} rows; evaluate both on the same data, with variformer evaluate"
        )
    if ours.table.columns.keys() != theirs.table.columns.keys():
        kept = [", ".join(each.table.columns) for each in (ours, theirs)]
        raise ValueError(f"{one} keeps {kept[0]} of each sample, and {other} {kept[1]}: their tasks differ")
    objective = objective_of(runs[0])
    metric = metric or objective.monitor
    tables = ours.table.columns, theirs.table.columns
    comparison = compare(objective.measure, *tables, metric, draws=draws, seed=seed)
    values = (objective.measure(tables[0])[metric], objective.measure(tables[1])[metric])
    return Significance((one, other), metric, values, comparison, len(ours.table.indices), draws)


def objective_of(run: RunDirectory) -> Objective:
    return build_task(experiment(run_config(run.path)), run.tokenizer).objective
