"""Decoding: how tokens are chosen, the loop over the cache, and texts that show what a model has learned."""

from .decode import continue_tokens, write_target
from .sampling import Sampling
from .writers import Continuations, FilledBlanks, FilledSpans, RestoredTexts

__all__ = [
    "Continuations",
    "FilledBlanks",
    "FilledSpans",
    "RestoredTexts",
    "Sampling",
    "continue_tokens",
    "write_target",
]
