"""The teacher of a distillation: a trained model, found by its folder or name (`objective.teacher`)."""

import hashlib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from ..config import ConfigError
from ..config.checking.defaults import with_defaults
from ..config.tree import at
from ..data.images.preprocessing import preprocessor
from ..exchange.loading import is_run, preprocessor_of, read_model, run_config, tokenizer_of
from ..objectives.distillation import Distillation
from ..run_directory.directory import RunDirectory
from .task import Task

Config = dict[str, Any]
SHARED = ("model.vocab_size", "model.image_size", "model.channels", "model.classes")


def bring_teacher(folder: Path | None, config: Config, task: Task) -> dict[str, str] | None:
    """Load the teacher with its best weights, and give it to the objective. Returns its folder and digest, for
    run.json.

    Raises ConfigError where teacher and student read other tokens or images, or have other classes.
    """
    if folder is None or not isinstance(task.objective, Distillation):
        return None
    problem = f"objective.teacher={folder} cannot teach this student:"
    require_same_inputs(folder, config, task, problem)
    with torch.random.fork_rng(devices=[]):  # the student starts as it would without a teacher
        model = whole_model(folder, best_or_last(folder), problem)
    task.objective.learn_from(model)
    return {"folder": str(folder.resolve()), "sha256": digest(model.state_dict())}


def require_same_teacher(run: RunDirectory, teacher: dict[str, str] | None) -> None:
    """Raises ConfigError where a run would go on with another teacher than it began with."""
    began = run.facts().get("teacher")
    if teacher and began and began["sha256"] != teacher["sha256"]:
        then = f"those that this run began to learn from ({began['folder']})"
        cure = "bring these back, or start a new run"
        raise ConfigError([f"objective.teacher: the weights in {teacher['folder']} are not {then}; {cure}"])


def require_same_inputs(folder: Path, config: Config, task: Task, problem: str) -> None:
    """Raises ConfigError where the model in `folder` reads other inputs. Its first line is `problem`, then one for each
    reason.
    """
    if reasons := list(differences(folder, config, task)):
        raise ConfigError([problem, *reasons])


def best_or_last(folder: Path) -> str:
    """The checkpoint of a model from another run: the best where there is one, else the last."""
    return "best" if is_run(folder) and (RunDirectory(folder).checkpoints / "best.ckpt").is_file() else "last"


def whole_model(folder: Path, checkpoint: str, problem: str) -> nn.Module:
    """A model of which every part was trained. Raises ConfigError, which begins with `problem`, where a head is
    missing.
    """
    model, anew = read_model(folder, checkpoint)
    if anew:
        raise ConfigError([f"{problem} it has no trained {', '.join(anew)}; give a model with its heads"])
    return model


def digest(tensors: Mapping[str, Tensor]) -> str:
    """SHA-256 of the names and bytes of tensors."""
    found = hashlib.sha256()
    for name, tensor in tensors.items():
        found.update(name.encode())
        found.update(tensor.detach().cpu().contiguous().flatten().view(torch.uint8).numpy().data)
    return found.hexdigest()


def differences(folder: Path, config: Config, task: Task) -> Iterator[str]:
    """A line for each way in which the inputs of the model in `folder` differ from the run's."""
    theirs = run_config(folder) if is_run(folder) else {}
    for key in SHARED:
        ours, other = at(config, key), at(theirs, key)
        if None not in (ours, other) and ours != other:
            yield f"  {key} is {ours}, the teacher's {other}: make them the same"
    yield from seen_otherwise(folder, config)
    if task.tokenizer is not None:
        tokenizer = tokenizer_of(folder)
        if tokenizer is None or tokenizer.fingerprint != task.tokenizer.fingerprint:
            yield f"  it has another tokenizer: take it over with tokenizer=pretrained tokenizer.path={folder}"


def seen_otherwise(folder: Path, config: Config) -> Iterator[str]:
    """A line for each value of the normalisation of images that differs between teacher and student."""
    theirs, data = preprocessor_of(folder), with_defaults(config["data"])
    if theirs is None or "image_size" not in data:
        return
    ours = preprocessor(data)
    for name in ("mean", "std"):
        mine, other = ours[f"image_{name}"], theirs.get(f"image_{name}")
        if theirs.get("do_normalize", True) and other not in (None, mine):
            yield f"  its images have a {name} of {other}, the student's {mine}: set data.{name}={other}"
