"""Stretches of the whole text, for objectives that need no sentences."""

import numpy as np

from ...ranges import Count
from ...samples import Window
from .tokenised import TokenisedText


class Windows:
    """Stretches of `length` tokens of the whole text, each `stride` after the one before.

    The text is every document in turn, each with the tokenizer's `end` before it. A window is {"tokens",
    "document"}, both (length,) int64; `document` is the running number of each token's document. The last
    window is padded with -1 in both. With stride = length every token occurs once; with stride = length - 1
    every pair of neighbours does, for language models.
    """

    def __init__(self, corpus: TokenisedText, length: Count, stride: Count | None = None) -> None:
        stride = length if stride is None else stride
        if not 1 <= stride <= length:
            raise ValueError(f"stride must be in 1..length={length}, not {stride}")
        self.corpus, self.length, self.stride = corpus, length, stride
        self._end: int | None = corpus.tokenizer.end
        self._extra = 0 if self._end is None else 1  # tokens before each document
        numbers = np.arange(len(corpus.documents) - 1)
        self._starts = np.asarray(corpus.documents[:-1]) + numbers * self._extra  # of each document in the stream
        self.tokens = int(corpus.documents[-1]) + len(numbers) * self._extra  # in the whole stream

    def __len__(self) -> int:
        overlap = self.length - self.stride
        return max(1, -(-(self.tokens - overlap) // self.stride))

    def sample(self, index: int, key: int = 0) -> Window:
        if not 0 <= index < len(self):
            raise IndexError(f"window {index} of {len(self)}")
        begin = index * self.stride
        places = np.arange(begin, min(begin + self.length, self.tokens))
        first = int(np.searchsorted(self._starts, begin, side="right")) - 1
        last = int(np.searchsorted(self._starts, places[-1], side="right"))
        starts = self._starts[first:last]  # of the few documents in this window: cheaper to search than all
        document = first + np.searchsorted(starts, places, side="right") - 1
        tokens = np.full(self.length, -1, dtype=np.int64)
        numbers = np.full(self.length, -1, dtype=np.int64)
        # An `end` has the place of the last token before its document, which it then overwrites.
        sources = np.maximum(places - (document + 1) * self._extra, 0)
        tokens[: len(places)] = self.corpus.tokens[sources[0] : sources[-1] + 1][sources - sources[0]]
        numbers[: len(places)] = document
        if self._end is not None:
            tokens[starts[starts >= begin] - begin] = self._end
        return {"tokens": tokens, "document": numbers}
