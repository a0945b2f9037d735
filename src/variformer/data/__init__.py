"""Data: how do documents and images, from where they lie, become the samples that a loader reads?

Text, labelled examples and images are three rooms: `text`, `labelled` and `images`. They share `contracts` (what a
source and a data set are), `hub` (Hugging Face data sets), `paths` (which files a pattern means) and `cache` (what is
made once). A `mixture` is made of several data sets, and `python_tasks` are labelled examples made of the installed
Python. `order` says which sample comes when, by the `shuffles`, and `loader` makes batches of them; these three know no
room.

Importing this package is cheap: torch, datasets and torchvision are imported where they are used.
"""

from ..samples import View
from .contracts import DataSet, Source
from .labelled import ConllFiles, Example, Examples, ExampleSource, HubExamples, LabelledData, LabelledFiles, SquadFiles
from .mixture import Mixture
from .text import (
    ByteLevel,
    ByteLevelBPE,
    CharacterLevel,
    Corpus,
    Document,
    HubText,
    OrderedPairs,
    Pairs,
    Pretrained,
    PythonDocs,
    Recipe,
    RobertaBPE,
    Sentences,
    TextData,
    TextFiles,
    TextSource,
    Tokenizer,
    Unigram,
    Windows,
    WordPiece,
)

__all__ = [
    "ByteLevel",
    "ByteLevelBPE",
    "CharacterLevel",
    "ConllFiles",
    "Corpus",
    "DataSet",
    "Document",
    "Example",
    "ExampleSource",
    "Examples",
    "HubExamples",
    "HubText",
    "LabelledData",
    "LabelledFiles",
    "Mixture",
    "OrderedPairs",
    "Pairs",
    "Pretrained",
    "PythonDocs",
    "Recipe",
    "RobertaBPE",
    "Sentences",
    "Source",
    "SquadFiles",
    "TextData",
    "TextFiles",
    "TextSource",
    "Tokenizer",
    "Unigram",
    "View",
    "Windows",
    "WordPiece",
]
