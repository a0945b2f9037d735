"""Train one experiment: `python train.py experiment=bert`. `--help` lists the groups, `--cfg job` shows the config."""

import sys
from pathlib import Path

import hydra
from omegaconf import DictConfig

from variformer.cli.sources import find_teacher
from variformer.config import ConfigError, compose, discard, hints, register_resolvers
from variformer.hub import locate

register_resolvers()


@hydra.main(version_base="1.3", config_path="conf", config_name="train")
def main(hydra_config: DictConfig) -> float:
    """Check the config, which takes no heavy imports; then run it."""
    try:
        config = compose(hydra_config)
        if config.get("init_from") and not config["resume"]:
            locate(config["init_from"])
        find_teacher(config)
    except (ConfigError, OSError) as error:
        print(error, file=sys.stderr)
        discard(Path(hydra_config.run_dir))
        raise SystemExit(2) from None
    from variformer.cli.train import train

    return train(config)


if __name__ == "__main__":
    with hints(Path(__file__).parent / "conf", "train"):
        main()
