"""Variformer: variants of the transformer, trained, compared and exported from one config tree."""

from pathlib import Path
from typing import Any

__all__ = ["load"]


def load(source: str | Path, checkpoint: str = "last") -> tuple[Any, Any]:
    """A trained model, and what turns raw input into its own: `model, tokenizer = variformer.load("runs/gpt/...")`.

    `source` is a run directory, a Hugging Face folder, or a name on its hub ("gpt2", or "gpt2@REVISION"). For images
    the second is a torchvision transform of a PIL image or a tensor of bytes; it is None where a folder holds neither
    tokenizer nor preprocessor_config.json. `checkpoint` (last, best or a file's name) is for run directories. The model
    is on the CPU, in float32 and in evaluation mode: call `.train()` to tune it. Raises FileNotFoundError, saying where
    it looked, and ValueError for weights that do not fit.
    """
    from .cli import loading  # imports torch

    return loading.load(source, checkpoint)
