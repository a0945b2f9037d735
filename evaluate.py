"""Score a finished run: `python evaluate.py run_dir=RUN split=test checkpoint=best`."""

import sys
from pathlib import Path

import hydra
from omegaconf import DictConfig

from variformer.config import evaluation, hints
from variformer.config.spelling import added
from variformer.hub import locate
from variformer.training.run_directory import RunDirectory


@hydra.main(version_base="1.3", config_path="conf", config_name="evaluate")
def main(chosen: DictConfig) -> None:
    """Check the command, which takes no heavy imports; then score the run, print the metrics and keep them."""
    try:
        settings = evaluation(chosen)
        if settings["other_model"] is not None:
            locate(settings["other_model"])
        else:
            RunDirectory(settings["run_dir"]).checkpoint(settings["checkpoint"] or "last")
    except (OSError, ValueError) as error:
        print(error, file=sys.stderr)
        raise SystemExit(2) from None
    from variformer.cli.evaluate import REFUSALS, evaluate_run

    try:
        metrics = evaluate_run(**settings)
    except REFUSALS as error:
        print(error, file=sys.stderr)
        raise SystemExit(2) from None
    for name, value in metrics.items():
        print(f"{settings['split']}/{name}: {value:.6g}")


if __name__ == "__main__":
    sys.argv[1:] = [added(argument) for argument in sys.argv[1:]]  # data.source.train=..., which only the run has
    with hints(Path(__file__).parent / "conf", "evaluate"):
        main()
