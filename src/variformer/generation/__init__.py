"""Generation: how does a trained model write text?

`sampling` chooses the next token from its scores, `decode` does so token by token over a cache, and `writers` show what
a model has learned, one for each way to train on text.
"""

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
