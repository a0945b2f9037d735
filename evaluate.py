"""Score a finished run: `python evaluate.py run_dir=RUN split=test checkpoint=best`."""

import sys
from pathlib import Path

import hydra
from omegaconf import DictConfig, OmegaConf

from variformer.config import load


@hydra.main(version_base="1.3", config_path="conf", config_name="evaluate")
def main(chosen: DictConfig) -> None:
    """Rebuild the run from its directory, evaluate one split, print and keep the metrics."""
    try:
        load(Path(chosen.run_dir))  # before the heavy imports
        from variformer.cli.evaluate import evaluate_run

        metrics = evaluate_run(**OmegaConf.to_container(chosen))  # type: ignore[arg-type]
    except (FileNotFoundError, ValueError) as error:
        print(error, file=sys.stderr)
        raise SystemExit(2) from None
    for name, value in metrics.items():
        print(f"{chosen.split}/{name}: {value:.6g}")


if __name__ == "__main__":
    main()
