"""Train one experiment: `python train.py experiment=bert`. `--help` lists the groups, `--cfg job` shows the config."""

import sys
from pathlib import Path

import hydra
from omegaconf import DictConfig

from variformer.cli.sources import find_sources
from variformer.config import ConfigError, compose, discard, hints, register_resolvers, spelled
from variformer.sweeps import is_trial, run_trial

register_resolvers()


@hydra.main(version_base="1.3", config_path="conf", config_name="train")
def main(hydra_config: DictConfig) -> float | None:
    """Check the config, which takes no heavy imports; then run it. A trial of a sweep is run as its own process."""
    if is_trial():
        run_trial(Path(__file__).resolve(), hydra_config)
        return None
    try:
        config = compose(hydra_config)
        find_sources(config)
    except (ConfigError, OSError) as error:
        print(error, file=sys.stderr)
        discard(Path(hydra_config.run_dir))
        raise SystemExit(2) from None
    if config["validate_only"]:
        from variformer.cli.plan import show_plan

        show_plan(config)
        return None
    from variformer.cli.train import train

    try:
        return train(config)
    except ConfigError as error:  # what shows only when the data is there
        print(error, file=sys.stderr)
        raise SystemExit(2) from None


if __name__ == "__main__":
    conf = Path(__file__).parent / "conf"
    sys.argv[1:] = spelled(sys.argv[1:], conf)
    with hints(conf, "train"):
        main()
