"""Text: how do documents become samples of tokens?

A source gives documents (`document`): `files`, with its `readers`, `hub` and `python_docs`. `cleaning` mends or
refuses them, `duplicates` finds those that occur twice, and `store` keeps them by split. `tokenizer_recipes` make a
`tokenizer`. `corpus` writes and opens the `tokenised` text of a split, of which `windows`, `sentences` and `pairs` are
the views. `data` goes the whole way, once, and keeps each step in the cache.
"""

from .corpus import Corpus
from .data import TextData
from .document import Document, TextSource
from .files import TextFiles
from .hub import HubText
from .pairs import OrderedPairs, Pairs
from .python_docs import PythonDocs
from .sentences import Sentences
from .tokenizer import Tokenizer
from .tokenizer_recipes import (
    ByteLevel,
    ByteLevelBPE,
    CharacterLevel,
    Pretrained,
    Recipe,
    RobertaBPE,
    Unigram,
    WordPiece,
)
from .windows import Windows

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
    "TextData",
    "TextFiles",
    "TextSource",
    "Tokenizer",
    "Unigram",
    "Windows",
    "WordPiece",
]
