"""The variants. Each file shows one whole model; its arguments are the paper's numbers and the parts to swap."""

from .albert import Albert
from .bart import Bart
from .bert import Bert, Predictions
from .deit import DeiT, Opinions, PlainDeiT, UntaughtDeiT
from .distilbert import DistilBert
from .gpt import GPT
from .modern_bert import ModernBert
from .roberta import Roberta
from .t5 import T5
from .tuned import (
    EndTokenClassifier,
    FirstTokenClassifier,
    LastTokenClassifier,
    RereadSpanFinder,
    SequenceClassifier,
    SpanFinder,
    Spans,
    TokenClassifier,
    Tuned,
)
from .vit import ViT

__all__ = [
    "GPT",
    "T5",
    "Albert",
    "Bart",
    "Bert",
    "DeiT",
    "DistilBert",
    "EndTokenClassifier",
    "FirstTokenClassifier",
    "LastTokenClassifier",
    "ModernBert",
    "Opinions",
    "PlainDeiT",
    "Predictions",
    "RereadSpanFinder",
    "Roberta",
    "SequenceClassifier",
    "SpanFinder",
    "Spans",
    "TokenClassifier",
    "Tuned",
    "UntaughtDeiT",
    "ViT",
]
