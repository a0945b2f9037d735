"""One file for each of their model types; a new one is a file here and a line below."""

from ..table import Family
from .bert import BERT
from .gpt2 import GPT2
from .t5 import T5
from .vit import VIT

FAMILIES: dict[str, Family] = {
    "bert": BERT,
    "gpt2": GPT2,
    "t5": T5,
    "vit": VIT,
}  # by `model_type` in config.json

__all__ = ["FAMILIES"]
