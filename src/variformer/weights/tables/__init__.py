"""One file for each of their model types; a new one is a file here and a line below."""

from ..table import Family
from .albert import ALBERT
from .bart import BART
from .bert import BERT
from .deit import DEIT
from .distilbert import DISTILBERT
from .gpt2 import GPT2
from .modernbert import MODERNBERT
from .roberta import ROBERTA
from .roformer import ROFORMER
from .t5 import T5
from .vit import VIT

FAMILIES: dict[str, Family] = {
    "albert": ALBERT,
    "bart": BART,
    "bert": BERT,
    "deit": DEIT,
    "distilbert": DISTILBERT,
    "gpt2": GPT2,
    "modernbert": MODERNBERT,
    "roberta": ROBERTA,
    "roformer": ROFORMER,
    "t5": T5,
    "vit": VIT,
}  # by `model_type` in config.json

__all__ = ["FAMILIES"]
