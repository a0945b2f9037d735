"""The commands that Hydra reads: train and evaluate. The config is checked first, which takes no heavy imports."""

import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NoReturn

import hydra
from omegaconf import DictConfig

from ..command import again
from ..config import ConfigError, clashes, compose, discard, evaluation, folders_of, hints, register_resolvers, spelled
from ..config.composing.spelling import added
from ..configs import packaged
from ..hub import locate
from ..run_directory.directory import RunDirectory
from ..runs.origins import find_sources
from ..sweeps import is_trial, run_trial


def train(arguments: Sequence[str]) -> None:
    """Train what a command line asks for. Raises SystemExit with 2 where the user has to change something."""
    words = again("train")  # those of this process: a launcher runs `main` in processes of its own

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
        run("train", main)


def train_one(hydra_config: DictConfig) -> float | None:
    try:
        config = compose(hydra_config)
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
    except ConfigError as error:  # what shows only when the data is there
        refuse(error)


def evaluate(arguments: Sequence[str]) -> None:
    """Score a finished run. Raises SystemExit with 2 where the user has to change something."""
    known_in_the_run = [added(argument) for argument in arguments]  # data.source.train=..., which only the run has
    with command_line(known_in_the_run), hints([packaged()], "evaluate"):
        run("evaluate", evaluate_one)


def evaluate_one(chosen: DictConfig) -> None:
    """Print the metrics, and keep them in the run directory."""
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


def run(name: str, main: Callable[[DictConfig], Any]) -> None:
    hydra.main(version_base="1.3", config_path=str(packaged()), config_name=name)(main)()


@contextmanager
def command_line(arguments: Sequence[str]) -> Iterator[None]:
    """Hydra, and what is logged of a run, read `sys.argv`: it has the program's name and these arguments."""
    before = sys.argv
    sys.argv = [before[0], *arguments]
    try:
        yield
    finally:
        sys.argv = before


def refuse(reason: object) -> NoReturn:
    print(reason, file=sys.stderr)
    raise SystemExit(2) from None
