"""What a run learns: its data, and the objective that reads them."""

import math
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ..config import ConfigError, instantiate
from ..config.schema import Experiment
from ..data import DataSet, Pretrained, Tokenizer
from ..objectives.objective import Objective


@dataclass
class Task:
    """Prepared data, the objective that reads them, and the tokenizer where the data are texts.

    `found_settings` holds values of the data's config that were found in the data, such as the names of classes.
    """

    data: DataSet[Any]
    objective: Objective
    tokenizer: Tokenizer | None
    found_settings: dict[str, Any] = field(default_factory=dict)


def build_task(config: Experiment, tokenizer_folder: Path | None = None) -> Task:
    """Prepare the data, and build the objective for them.

    The tokenizer in `tokenizer_folder`, where one is given, takes the place of the config's.
    Raises ConfigError where data cannot be read, or where the model has fewer tokens than the tokenizer.
    Raises ValueError where the run has no objective.
    """
    if config.objective is None:
        raise ValueError(
            "this run has no objective yet: none here evaluates the head that its model was imported with; "
            "use variformer.load, `variformer export`, or init_from=... in training"
        )
    recipe = instantiate(config.tokenizer, "tokenizer")
    if recipe is not None and tokenizer_folder is not None:
        recipe = Pretrained(str(tokenizer_folder))
    given = {} if recipe is None else {"tokenizer_recipe": recipe}
    data = instantiate(config.data, "data", **given)
    data = data() if config.data.get("_partial_") else data
    with config_errors("data"):
        data.prepare()
    tokenizer = None if recipe is None else data.tokenizer
    size = config.model.get("vocab_size")  # a model of one's own may have none
    if tokenizer is not None and size is not None and tokenizer.size > size:
        cure = "raise it, or train a smaller tokenizer"
        raise ConfigError([f"model.vocab_size: {size} is less than the tokenizer's {tokenizer.size} tokens; {cure}"])
    described = getattr(data, "described", data if tokenizer is None else tokenizer)  # a class of one's own may lack it
    with config_errors("objective"):
        objective = instantiate(config.objective, "objective")(described, config.length)
    if config.compile != "none":
        objective.multiple = 32  # fewer shapes to compile for
    return Task(data, objective, tokenizer, getattr(data, "found_settings", {}))


@contextmanager
def config_errors(key: str) -> Iterator[None]:
    """Raise an error about what a config names as a ConfigError, which a command shows in one line."""
    try:
        yield
    except ConfigError:
        raise
    except (FileNotFoundError, PermissionError, ValueError) as error:
        raise ConfigError([f"{key}: {error}"]) from error


def number_of_steps(config: Experiment, task: Task) -> int:
    """Optimizer steps of the run: `max_steps`, or `max_epochs` converted."""
    if config.max_steps is not None:
        return config.max_steps
    assert config.max_epochs is not None  # the check of the config requires one of the two
    samples = len(task.objective.view(task.data.split("train")))
    return max(1, math.ceil(config.max_epochs * samples / config.global_batch))
