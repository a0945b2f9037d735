"""Generation: how does a trained model write text?

generate.py: `generate` writes behind prompts, as a `Decoding` says. filling.py: `fill` fills blanks.
prompts.py: from a text to what a model reads. writers.py: texts that show what a model has learned.
reading.py: prompts and tokens, read over a cache. few_rows.py: linear layers of few rows. choosing.py: the next token.
one_by_one.py, beams.py: the two ways to a text. following.py: stop strings, and what can be shown of a growing text.
"""

from .filling import Candidate, Filled, fill
from .generate import Decoding, Written, generate
from .prompts import prompt_ids
from .writers import Continuations, FilledBlanks, FilledSpans, RestoredTexts

__all__ = [
    "Candidate",
    "Continuations",
    "Decoding",
    "Filled",
    "FilledBlanks",
    "FilledSpans",
    "RestoredTexts",
    "Written",
    "fill",
    "generate",
    "prompt_ids",
]
