"""Labelled examples: how do the rows of a file become the samples that a task learns from?

A source gives `example`s: `files`, `hub`, `conll` and `squad`. `fields` makes them of a row's values, `checking`
refuses or leaves out what cannot be used, and `store` keeps the `rows` by split, in `ragged` arrays. `split` has the
views: `views` of texts and pairs, `words` and `questions`, made of texts that are `encoded` once. `naming` says what
labels mean, and `data` joins all.
"""

from .conll import ConllFiles
from .data import LabelledData
from .example import Example, ExampleSource
from .files import LabelledFiles
from .hub import HubExamples
from .split import Examples
from .squad import SquadFiles

__all__ = [
    "ConllFiles",
    "Example",
    "ExampleSource",
    "Examples",
    "HubExamples",
    "LabelledData",
    "LabelledFiles",
    "SquadFiles",
]
