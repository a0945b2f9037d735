"""The teacher of a distillation: a trained model, by where it lies (`objective.teacher`)."""

from collections.abc import Iterator
from pathlib import Path

import torch

from ..config.consistency import at
from ..objectives.distillation import Distillation
from ..training.run_directory import RunDirectory
from .build import Config, Task
from .loading import is_run, load, run_config, tokenizer_of

SHARED = ("model.vocab_size", "model.image_size", "model.channels", "model.classes", "data.mean", "data.std")


def bring_teacher(folder: Path | None, config: Config, task: Task) -> None:
    """Load the teacher, with its best weights, and give it to the objective.

    Raises ValueError where student and teacher do not read the same tokens or images, or tell classes apart otherwise.
    """
    if folder is None or not isinstance(task.objective, Distillation):
        return
    problems = list(differences(folder, config, task))
    if problems:
        raise ValueError("\n".join([f"objective.teacher={folder} cannot teach this student:", *problems]))
    best = is_run(folder) and (RunDirectory(folder).checkpoints / "best.ckpt").is_file()
    with torch.random.fork_rng(devices=[]):  # the student starts as it would without a teacher
        model, _ = load(folder, "best" if best else "last")
    task.objective.learn_from(model)


def differences(folder: Path, config: Config, task: Task) -> Iterator[str]:
    theirs = run_config(folder) if is_run(folder) else {}
    for key in SHARED:
        ours, other = at(config, key), at(theirs, key)
        if None not in (ours, other) and ours != other:
            yield f"  {key} is {ours}, the teacher's {other}: make them the same"
    if task.tokenizer is not None:
        tokenizer = tokenizer_of(folder)
        if tokenizer is None or tokenizer.fingerprint != task.tokenizer.fingerprint:
            yield f"  it has another tokenizer: take it over with tokenizer=pretrained tokenizer.path={folder}"
