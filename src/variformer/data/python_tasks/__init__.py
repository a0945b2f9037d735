"""Labelled examples that need no download: tasks made of the documentation and source that Python brings along.

`library` walks these. `areas` tells areas of the library apart, `signatures` has tasks on functions, and `sentences` on
the sentences of the documentation.
"""

from .areas import DocstringAreas
from .sentences import ReferenceMarks, RestoredSentences
from .signatures import CodeSummaries, DescribedFunctions, SignatureDefaults

__all__ = [
    "CodeSummaries",
    "DescribedFunctions",
    "DocstringAreas",
    "ReferenceMarks",
    "RestoredSentences",
    "SignatureDefaults",
]
