"""A published model as a run directory, from which it is evaluated, tuned and exported like one trained here."""

import os
import shutil
from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch
from omegaconf import OmegaConf
from torch import nn

from .. import portable
from ..analysis.cost import parameter_count
from ..config import check
from ..config.checking.defaults import with_defaults
from ..config.classes.targets import find
from ..config.composing.absolute_paths import with_absolute_paths
from ..config.heads import parted
from ..config.schema import Experiment
from ..data import Tokenizer
from ..data.images.preprocessing import normalisation
from ..hub import SETTINGS, TOKENIZER, locate, read_json
from ..layers import Transformer
from ..models.contracts import declared
from ..run_directory.checkpoint_files import checksum_of
from ..run_directory.directory import RunDirectory, write_json
from ..training.resuming.checkpoint_io import WholeCheckpointIO
from ..training.resuming.checkpoints import link
from .folders import require_writable
from .loading import is_run, read_checkpoint, require_checkpoint
from .nodes import node_of, recorded

Config = dict[str, Any]
SEED = 0
LONGEST = 2048  # tokens that an evaluation reads at once, even if the model can read more


def import_model(source: str, path: str | Path, data: str | None = None) -> RunDirectory:
    """Write the run directory `path` from a Hugging Face folder or a name on its hub; all of it, or nothing.

    `data`, text files or a folder with a folder of images per class, is what the run is evaluated on; by default
    Python's own documentation, or the digits. Raises FileExistsError where `path` holds something already.
    """
    run = RunDirectory(path)
    if run.path.is_file() or (run.path.is_dir() and any(run.path.iterdir())):
        raise FileExistsError(f"{path} exists and is not empty: choose another run directory")
    require_writable(run.path.resolve().parent)
    folder = locate(source)
    if is_run(folder):
        raise ValueError(f"{source} is a run directory already")
    require_checkpoint(folder)
    for file in (folder / name for name in SETTINGS):
        if file.is_file():
            read_json(file)  # what is copied is whole
    with recorded() as made, torch.random.fork_rng(devices=[]):
        torch.default_generator.manual_seed(SEED)  # what the source lacks is the same in every import
        model, precisions, anew = read_checkpoint(folder)
    require_whole(source, model, anew)
    node = portable.node_of(folder) if portable.is_own(folder) else node_of(model, made)
    config = config_of_import(node, model, anew, folder, run, data)
    check(config)
    config = with_absolute_paths(config)
    facts = {"name": config["name"], "seed": SEED, "parameters": parameter_count(model), "max_steps": 0}
    place = run.path.resolve()
    working = RunDirectory(place.with_name(f".{place.name}.{os.getpid()}.tmp"))
    working.path.mkdir(parents=True)
    try:
        copy_files(folder, working.imported, SETTINGS)
        write_json(working.precisions, precisions)
        if config["tokenizer"] is not None:
            copy_files(folder, working.tokenizer, TOKENIZER)
        save_weights(model, working)
        OmegaConf.save(OmegaConf.create(config), working.config)
        working.set_record(**facts, imported_from=str(source), anew=anew)
        working.set_status("done")
        os.replace(working.path, place)
    finally:
        shutil.rmtree(working.path, ignore_errors=True)
    return run


def require_whole(source: str, model: nn.Module, anew: list[str]) -> None:
    """Raises ValueError where more than a head is missing: a run of it would be mostly untrained."""
    missing = [part for part in anew if isinstance(model.get_submodule(part), Transformer)]
    if missing:
        raise ValueError(
            f"{source} has no {', '.join(missing)}, so it cannot be a run: train with init_from={source}, "
            "which starts the rest from it"
        )


def config_of_import(
    node: Config, model: nn.Module, anew: list[str], folder: Path, run: RunDirectory, data: str | None
) -> Config:
    """A whole config: this model, the objective that it is evaluated by if there is one, and data to do so."""
    parts = parted({"model": node})
    described = with_defaults(parts["model"])
    images, longest = "image_size" in described, described.get("max_length")
    objective = objective_of(model, anew)
    if not images:
        Tokenizer.load(folder)  # which says what is missing
    tokenizer = {"_target_": "variformer.data.Pretrained", "path": str(run.tokenizer.resolve())}
    experiment = Experiment(
        name=run.path.resolve().name,
        run_dir=str(run.path),
        length=longest and min(longest, LONGEST),
        global_batch=8,
        max_steps=1,
        model=parts["model"],
        head=parts.get("head"),
        objective=objective and {"_target_": objective, "_partial_": True},
        data=image_data(described, folder, data) if images else text_data(data),
        tokenizer=None if images else tokenizer,
        optimizer={"_target_": "variformer.training.optimizer.AdamW", "_partial_": True, "lr": 1e-4},
    )
    return {name: value for name, value in asdict(experiment).items() if name != "allow"}  # which no run says


def objective_of(model: nn.Module, anew: list[str]) -> str | None:
    """The objective of the model's paper; None for a head for a task, which no objective evaluates yet.

    A pair head that is new or all zero was read from a checkpoint without one: it is not evaluated.
    """
    pair_head = getattr(model, "pair_head", None)
    trained = pair_head is not None and "pair_head.scores" not in anew and bool(pair_head.scores.weight.any())
    name = (declared(model, "pair_objective") if trained else None) or declared(model, "objective")
    return name and f"{find(f'variformer.objectives.{name}').module}.{name.rpartition('.')[2]}"


def text_data(files: str | None) -> Config:
    source = (
        {"_target_": "variformer.data.PythonDocs"}
        if files is None
        else {"_target_": "variformer.data.TextFiles", "train": files}
    )
    return {"_target_": "variformer.data.TextData", "_partial_": True, "source": source, "on_bad": "skip"}


def image_data(model: Config, folder: Path, images: str | None) -> Config:
    """The digits or a folder of images, normalised as the checkpoint's preprocessor_config.json says."""
    source = (
        {"_target_": "variformer.data.images.Digits"}
        if images is None
        else {"_target_": "variformer.data.images.ImageFolder", "train": images}
    )
    sizes = {name: model[name] for name in ("image_size", "channels", "classes")}
    file = folder / "preprocessor_config.json"
    settings = read_json(file) if file.is_file() else {}
    return {"_target_": "variformer.data.images.ImageData", "source": source, **sizes, **normalisation(settings)}


def save_weights(model: nn.Module, run: RunDirectory) -> None:
    """As training would after no step."""
    file = run.checkpoints / "step-00000000.ckpt"
    tensors = {f"model.{name}": tensor for name, tensor in model.state_dict().items()}
    WholeCheckpointIO().save_checkpoint({"state_dict": tensors, "callbacks": {}}, file)
    link(checksum_of(file), run.checkpoints / "last.ckpt.sha256")
    link(file, run.checkpoints / "last.ckpt")


def copy_files(source: Path, target: Path, patterns: tuple[str, ...]) -> None:
    target.mkdir(parents=True, exist_ok=True)
    for pattern in patterns:
        for file in source.glob(pattern):
            shutil.copyfile(file, target / file.name)
