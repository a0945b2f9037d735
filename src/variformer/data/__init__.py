"""Data: documents and images, from where they lie to the samples that a loader reads.

Importing this package is cheap: torch, datasets and torchvision are imported where they are used.
"""

from variformer.data.sources import Document, Source, TextFiles
from variformer.data.text.corpus import Corpus
from variformer.data.text.data import TextData
from variformer.data.text.hub import HubText
from variformer.data.text.pairs import OrderedPairs, Pairs
from variformer.data.text.python_docs import PythonDocs
from variformer.data.text.sentences import Sentences
from variformer.data.text.tokenizer import Tokenizer
from variformer.data.text.tokenizer_recipes import (
    ByteLevel,
    ByteLevelBPE,
    CharacterLevel,
    Pretrained,
    Recipe,
    RobertaBPE,
    Unigram,
    WordPiece,
)
from variformer.data.views import View, Windows

__all__ = [
    "ByteLevel",
    "ByteLevelBPE",
    "CharacterLevel",
    "Corpus",
    "Document",
    "HubText",
    "OrderedPairs",
    "Pairs",
    "Pretrained",
    "PythonDocs",
    "Recipe",
    "RobertaBPE",
    "Sentences",
    "Source",
    "TextData",
    "TextFiles",
    "Tokenizer",
    "Unigram",
    "View",
    "Windows",
    "WordPiece",
]
