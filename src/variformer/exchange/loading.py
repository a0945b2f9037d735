"""Trained models from a run directory, a Hugging Face folder, or a name on its hub."""

import logging
from pathlib import Path
from typing import Any

import torch
from omegaconf import OmegaConf
from torch import Tensor, nn

from .. import portable
from ..config import build_model, check, instantiate
from ..config.checking.defaults import with_defaults
from ..config.classes.attributes import declared
from ..config.composing.saved_configs import saved_config as load_config
from ..config.heads import joined
from ..data import Tokenizer
from ..data.images.preprocessing import preprocessor, transform
from ..hub import locate, read_json
from ..layers.low_rank import merge
from ..run_directory.directory import RunDirectory
from ..training.resuming.checkpoint_io import WholeCheckpointIO
from ..training.validation.average import evaluation_weights
from ..weights import huggingface
from ..weights.huggingface import Checkpoint

Config = dict[str, Any]
log = logging.getLogger(__name__)


def load(source: str | Path, checkpoint: str = "last") -> tuple[nn.Module, Any]:
    """(model, tokenizer), or (model, transform) for images; see `variformer.load`."""
    folder = locate(source)
    reader = reader_of_run if is_run(folder) else reader_of_folder
    return model_of(folder, checkpoint), reader(folder)


def model_of(folder: Path, checkpoint: str = "last") -> nn.Module:
    """The model of a run directory or a Hugging Face folder, in evaluation mode. A warning names untrained parts."""
    model, anew = read_model(folder, checkpoint)
    if anew:
        log.warning("%s has no %s: the model has initial values there", folder, ", ".join(anew))
    return model


def read_model(folder: Path, checkpoint: str = "last") -> tuple[nn.Module, list[str]]:
    """The model of a run directory or a Hugging Face folder, in evaluation mode, and the names of its untrained parts.

    A part is untrained where the published model came without it.
    """
    if is_run(folder):
        return load_run(folder, checkpoint), RunDirectory(folder).facts().get("anew", [])
    found = read_checkpoint(folder)
    return found.model.eval(), found.anew


def read_checkpoint(folder: Path) -> Checkpoint:
    """The content of a Hugging Face folder, for a class of transformers or with our own modelling code."""
    return portable.read(folder) if portable.is_own(require_checkpoint(folder)) else huggingface.read(folder)


def load_run(path: str | Path, checkpoint: str = "last", *, merged: bool = True) -> nn.Module:
    """The model of a run directory in evaluation mode, with the weights that evaluation uses.

    `checkpoint` is last, best, or the name of a file in the run's checkpoints/. With `merged`, adapters have become
    part of the matrices beside which they were trained, and predicted values have the unit of the data.
    Raises FileNotFoundError where there is no run or no such checkpoint.
    Raises ConfigError where the run's config does not fit this version of the code.
    Raises ValueError where config and weights do not fit each other.
    """
    config = run_config(path)
    model = build_model(config)
    if (adapters := (config.get("tuning") or {}).get("adapters")) is not None:
        instantiate(adapters, "tuning.adapters").adapt(model)
    weights = run_weights(path, checkpoint)
    try:
        model.load_state_dict(weights)
    except RuntimeError as error:
        reason = " ".join(str(error).split()[:60])
        raise ValueError(
            f"{path}: the weights of {checkpoint} are not those of the model in config.yaml: {reason}"
        ) from None
    if merged:
        merge(model)
        if scale := scale_of(config):
            unscaled(model, *scale)
    return model.eval()


def labels_of(folder: Path) -> list[str] | None:
    """The names of the classes that the model of a run directory or a Hugging Face folder tells apart, if it says."""
    if not is_run(folder):
        return names_of_classes(read_json(require_checkpoint(folder) / "config.json"))
    labels = run_config(folder)["data"].get("labels")
    came = RunDirectory(folder).imported / "config.json"
    return labels or (names_of_classes(read_json(came)) if came.is_file() else None)


def names_of_classes(settings: Config) -> list[str] | None:
    """What a config.json calls the classes, in their order."""
    names = settings.get("id2label") or {}
    return [str(names[number]) for number in sorted(names, key=int)] or None


def scale_of(config: Config) -> tuple[float, float] | None:
    """Mean and deviation of the values that a run predicts; None where it predicts none."""
    is_scaled = config["objective"] is not None and declared(config["objective"], "scaled")
    return tuple(config["data"]["scale"]) if is_scaled and config["data"].get("scale") else None


@torch.no_grad()
def unscaled(model: nn.Module, mean: float, deviation: float) -> nn.Module:
    """The same model, which gives values in the unit of the data in place of standardised ones."""
    layer: Any = model.get_submodule(getattr(model, "scores", "head"))
    layer.weight.mul_(deviation)
    if layer.bias is not None:
        layer.bias.mul_(deviation).add_(mean)
    return model


def run_config(path: str | Path) -> Config:
    """The checked config of a run."""
    config: Any = OmegaConf.to_container(load_config(Path(path)), resolve=True)
    check(config)
    return config


def run_node(path: str | Path) -> Config:
    """The node of a run's whole model, its head included."""
    config = run_config(path)
    return joined(config["model"], config.get("head"))


def run_weights(path: str | Path, checkpoint: str = "last") -> dict[str, Tensor]:
    """The model's tensors of a run by our names, on the CPU. Where the run kept a moving average, they are those of
    the average.
    """
    file = RunDirectory(path).checkpoint(checkpoint)
    saved = WholeCheckpointIO().load_checkpoint(file, map_location=torch.device("cpu"))
    named = evaluation_weights(saved).items()
    return {name.removeprefix("model."): tensor for name, tensor in named if name.startswith("model.")}


def tokenizer_of(folder: Path) -> Tokenizer | None:
    """The tokenizer of a run directory or a Hugging Face folder, if it has one."""
    folder = RunDirectory(folder).tokenizer if is_run(folder) else folder
    return Tokenizer.load(folder) if (folder / "tokenizer.json").is_file() else None


def reader_of_run(path: str | Path) -> Any:
    """What turns raw input into the model's input: the run's tokenizer, or its image transform."""
    settings = run_preprocessor(path)
    return tokenizer_of(Path(path)) if settings is None else transform(settings)


def run_preprocessor(path: str | Path) -> dict[str, Any] | None:
    """The settings of preprocessor_config.json for a run; None where it reads text.

    An imported model keeps the file that it came with.
    """
    file = RunDirectory(path).imported / "preprocessor_config.json"
    if file.is_file():
        return read_json(file)
    data = with_defaults(run_config(path)["data"])
    return preprocessor(data) if "image_size" in data else None


def reader_of_folder(folder: Path) -> Any:
    """The folder's image transform or tokenizer; None where it has neither."""
    settings = preprocessor_of(folder)
    return tokenizer_of(folder) if settings is None else transform(settings)


def preprocessor_of(folder: Path) -> dict[str, Any] | None:
    """The settings of the image processor of a run directory or a Hugging Face folder, if it has one."""
    if is_run(folder):
        return run_preprocessor(folder)
    file = folder / "preprocessor_config.json"
    return read_json(file) if file.is_file() else None


def is_run(folder: Path) -> bool:
    """Whether a folder is a run directory."""
    return (folder / "config.yaml").is_file()


def require_checkpoint(folder: Path) -> Path:
    """The folder. Raises FileNotFoundError where it is neither a run directory nor a Hugging Face folder."""
    if not (folder / "config.json").is_file():
        there = ", ".join(sorted(path.name for path in folder.iterdir())[:10]) or "nothing"
        raise FileNotFoundError(
            f"{folder} is neither a run directory (config.yaml) nor a Hugging Face folder (config.json); "
            f"it holds {there}"
        )
    return folder
