"""A folder with its own modelling code as our model again: built from its config, never by its code."""

from pathlib import Path
from typing import Any

from torch import nn

from ..config import ConfigError, instantiate
from ..hub import read_json
from ..weights.files import read_tensors
from ..weights.huggingface import Checkpoint, precision_of
from .spelling import MODEL_TYPE, with_further_names


def is_own(folder: Path) -> bool:
    """Whether a Hugging Face folder holds a model of ours with its own modelling code."""
    return read_json(folder / "config.json").get("model_type") == MODEL_TYPE


def node_of(folder: Path) -> Any:
    """The node that such a folder's model is built from."""
    return read_json(folder / "config.json").get("model")


def read(folder: Path) -> Checkpoint:
    """The model of such a folder. The node in config.json is checked as that of a run is.

    Raises ConfigError for a node that a config may not hold, and ValueError where it is no model or tensors do not fit.
    """
    file = folder / "config.json"
    model = instantiate(node_of(folder), f"{file}: model")
    if not isinstance(model, nn.Module):
        raise ConfigError([f"{file}: model: builds a {type(model).__name__}, which is no model"])
    tensors = read_tensors(folder)
    try:
        model.load_state_dict(with_further_names(model, tensors))
    except (RuntimeError, ValueError) as error:
        reason = " ".join(str(error).split()[:60])
        raise ValueError(f"{folder}: the tensors do not fit the model in config.json: {reason}") from None
    return Checkpoint(model, {name: precision_of(tensor) for name, tensor in tensors.items()}, [])
