"""The variants. Each file shows one whole model; its arguments are the paper's numbers and the parts to swap."""

from .bert import Bert, Predictions
from .gpt import GPT
from .t5 import T5
from .vit import ViT

__all__ = ["GPT", "T5", "Bert", "Predictions", "ViT"]
