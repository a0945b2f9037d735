"""The functions of `variformer`, for notebooks and scripts: as the commands, with values in place of words and
files.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from ..config import ConfigError, evaluation
from .composing import Config, as_config_error, compose, ready
from .loaded import Loaded

if TYPE_CHECKING:
    from ..runs.evaluate import Metrics

__all__ = ["Config", "ConfigError", "Loaded", "Run", "__version__", "compose", "evaluate", "load", "train"]
__version__ = version("variformer")


@dataclass(frozen=True)
class Run:
    """The directory of a run: a run just trained, or any other by `Run("runs/gpt/...")`. Files are read at each use.

    `path` is absolute. Raises FileNotFoundError where there is no run.
    """

    path: Path

    def __init__(self, path: str | Path):
        place = Path(path).expanduser().absolute()
        if not (place / "config.yaml").is_file():
            raise FileNotFoundError(f"{path} is not a run: there is no {place / 'config.yaml'}")
        object.__setattr__(self, "path", place)

    def __repr__(self) -> str:
        numbers = "".join(f", {name}={value:.4g}" for name, value in self.metrics.items())
        return f"Run({str(self.path)!r}, status={self.status!r}{numbers})"

    @property
    def status(self) -> str | None:
        """done, running, failed, preempted or pruned; None where the run has not begun."""
        from ..run_directory.directory import RunDirectory

        return RunDirectory(self.path).status()

    @property
    def metrics(self) -> dict[str, float]:
        """Metrics of the validation at the end: `val/loss` and the objective's own. Empty before the end."""
        from ..hub import read_json

        file = self.path / "metrics.json"
        found = read_json(file) if file.is_file() else {}
        return {name: value for name, value in found.items() if "/" in name}

    @property
    def curves(self) -> dict[str, dict[int, float]]:
        """For each metric, such as `train/loss`, its values by optimizer step."""
        from ..run_directory.curves import read_curves

        found: dict[str, dict[int, float]] = {}
        for step, name, value in read_curves(self.path / "metrics.csv"):
            found.setdefault(name, {})[step] = value
        return found

    @property
    def config(self) -> Config:
        """The config that the run was started with, and goes on with."""
        from ..exchange.loading import run_config

        return Config(run_config(self.path))

    def load(self, checkpoint: str = "last") -> Loaded:
        """The model and its tokenizer or transform, as by `variformer.load`."""
        return load(self.path, checkpoint)


def train(config: Mapping[str, Any]) -> Run:
    """Train one experiment to its end, with the output and the directory of `variformer train`.

    `config` comes from `compose`; values may have been changed since. A second call with the same config trains anew in
    another directory, unless `run_dir` was given.
    Random states, warnings, log levels and the switches of torch are afterwards as they were before.

    Raises ConfigError for what the caller has to correct.
    Raises KeyboardInterrupt where Ctrl-C, or a notebook's interrupt, ended the run; it has saved a checkpoint before.
    """
    plain = ready(config)
    from ..runs.train import train as train_run
    from .undisturbed import undisturbed

    with undisturbed():
        train_run(plain)
    return Run(plain["run_dir"])


def evaluate(
    run: Run | str | Path,
    split: Literal["val", "test"] = "val",
    checkpoint: str | None = None,
    *,
    eval_batch: int | None = None,
    other_model: str | Path | None = None,
    data: Mapping[str, Any] | None = None,
    data_anyway: bool = False,
    bootstrap: int | None = None,
    allow: Sequence[str] = (),
) -> "Metrics":
    """Metrics of one split, as `variformer evaluate` computes and keeps them.

    `run` is a run or its directory.
    `checkpoint` is last, best or the name of a file.
    `eval_batch` is a number of samples.
    `other_model`, a run directory, a folder or a name, is scored in place of the run's own model.
    `data` holds values that replace those in the run's config; `data_anyway` allows data that are not the run's.
    `bootstrap` draws samples so many times, for the interval of each metric: see `intervals` of what is returned.
    `allow` lists packages whose classes the run may name.
    Raises ConfigError.
    """
    from omegaconf import OmegaConf

    given = {
        "run_dir": str(run.path if isinstance(run, Run) else run),
        "split": split,
        "checkpoint": checkpoint,
        "eval_batch": eval_batch,
        "other_model": other_model if other_model is None else str(other_model),
        "data": dict(data or {}),
        "data_anyway": data_anyway,
        "bootstrap": bootstrap,
        "allow": list(allow),
    }
    try:
        settings = evaluation(OmegaConf.create(given))
        from ..runs.evaluate import evaluate_run
        from .undisturbed import undisturbed

        with undisturbed():
            return evaluate_run(**settings)
    except (OSError, ValueError) as error:
        raise as_config_error(error) from error


def load(source: str | Path, checkpoint: str = "last") -> Loaded:
    """A trained model, and what turns raw input into its input: `model, tokenizer = variformer.load("runs/gpt/...")`.

    `source` is a run directory, a Hugging Face folder, or a name on its hub ("gpt2", or "gpt2@REVISION").
    `checkpoint` (last, best or the name of a file) is for run directories.
    For images the second value is a torchvision transform of a PIL image or a tensor of bytes. It is None where a
    folder holds neither a tokenizer nor preprocessor_config.json.
    The model is on the CPU, in float32 and in evaluation mode; call `.train()` to tune it. What is returned also has
    `generate` and `fill`, in one line: `variformer.load("gpt2").generate("Once upon a time", temperature=0.8)`.
    Raises FileNotFoundError that says where it looked, and ValueError for weights that do not fit.
    """
    from ..exchange import loading  # imports torch
    from ..hub import locate

    folder = locate(source)
    return Loaded(*loading.load(folder, checkpoint), folder)
