"""The commands whose overrides Hydra reads: train and evaluate. They check the config before any slow import."""

import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import NoReturn

import hydra
from omegaconf import DictConfig

from ..command import restart_command
from ..config import ConfigError, clashes, compose, discard, evaluation, folders_of, hints, register_resolvers, spelled
from ..config.composing.overrides import set_or_add
from ..configs import packaged
from ..hub import locate
from ..run_directory.directory import RunDirectory
from ..runs.origins import find_sources, source_config
from ..sweeps import is_trial, run_trial


def train(arguments: Sequence[str]) -> None:
    """Train what a command line asks for. Raises SystemExit with 2 if the user has to change something."""
    words = restart_command("train")  # made here, since a launcher may run `main` in another process

    def main(config: DictConfig) -> float | None:
        if is_trial():
            run_trial(words, config)
            return None
        return train_one(config)

    folders = folders_of(arguments)
    if problems := list(clashes(folders)):
        refuse("\n".join(problems))
    register_resolvers()
    with command_line(spelled(arguments, folders)), hints(folders, "train"):
        run_with_hydra("train", main)


def train_one(hydra_config: DictConfig) -> float | None:
    try:
        config = compose(hydra_config, source_config)
        find_sources(config)
    except (ConfigError, OSError) as error:
        discard(Path(hydra_config.run_dir))
        refuse(error)
    if config["validate_only"]:
        from ..runs.plan import show_plan

        show_plan(config)
        return None
    from ..runs.train import train

    try:
        return train(config)
    except ConfigError as error:  # a mistake that shows only when the data has been read
        refuse(error)


def evaluate(arguments: Sequence[str]) -> None:
    """Score a finished run. Raises SystemExit with 2 if the user has to change something."""
    known_in_the_run = [set_or_add(argument) for argument in arguments]  # data.source.train=..., a key of the run
    with command_line(known_in_the_run), hints([packaged()], "evaluate"):
        run_with_hydra("evaluate", evaluate_one)


def evaluate_one(chosen: DictConfig) -> None:
    """Print the metrics and write them into the run directory."""
    try:
        settings = evaluation(chosen)
        if settings["other_model"] is not None:
            locate(settings["other_model"])
        else:
            RunDirectory(settings["run_dir"]).checkpoint(settings["checkpoint"] or "last")
    except (OSError, ValueError) as error:
        refuse(error)
    from ..runs.evaluate import REFUSALS, evaluate_run

    try:
        metrics = evaluate_run(**settings)
    except REFUSALS as error:
        refuse(error)
    for name, value in metrics.items():
        print(f"{settings['split']}/{name}: {value:.6g}")


def run_with_hydra(name: str, main: Callable[[DictConfig], float | None]) -> None:
    """Let Hydra read the command line and call `main` with the config `name`."""
    hydra.main(version_base="1.3", config_path=str(packaged()), config_name=name)(main)()


@contextmanager
def command_line(arguments: Sequence[str]) -> Iterator[None]:
    """Set `sys.argv` to the program's name and these arguments. Hydra and the record of a run read it."""
    before = sys.argv
    sys.argv = [before[0], *arguments]
    try:
        yield
    finally:
        sys.argv = before


def refuse(reason: object) -> NoReturn:
    print(reason, file=sys.stderr)
    raise SystemExit(2) from None
