"""One file for each of their model types; a new one is a file here and a line below."""

from ..table import Family
from .albert import ALBERT
from .bart import BART
from .bert import BERT
from .bloom import BLOOM
from .deit import DEIT
from .distilbert import DISTILBERT
from .electra import ELECTRA
from .gpt2 import GPT2
from .gpt_neox import GPT_NEOX
from .llama import LLAMA
from .mistral import MISTRAL
from .modernbert import MODERNBERT
from .mpt import MPT
from .qwen3 import QWEN3
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
    "electra": ELECTRA,
    "gpt2": GPT2,
    "gpt_neox": GPT_NEOX,
    "llama": LLAMA,
    "mistral": MISTRAL,
    "qwen3": QWEN3,
    "bloom": BLOOM,
    "mpt": MPT,
    "modernbert": MODERNBERT,
    "roberta": ROBERTA,
    "roformer": ROFORMER,
    "t5": T5,
    "vit": VIT,
}  # by `model_type` in config.json; of several that have the parts of a model, the first is taken

__all__ = ["FAMILIES"]
