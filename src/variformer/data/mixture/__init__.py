"""Several data sets as one: tasks with prefixes (T5), or corpora, each with its share of the training.

`data` joins them and their tokenizer, `described` says what an objective asks of labelled parts together, and `split`
has the views of all parts.
"""

from .data import Mixture
from .split import MixedView

__all__ = ["MixedView", "Mixture"]
