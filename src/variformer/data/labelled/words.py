"""The words of sentences, and which tokens each is made of."""

import re
from collections.abc import Sequence
from typing import Literal, get_args

import numpy as np

from ...samples import TaggedWords
from ..text.tokenizer import Tokenizer
from .encoded import Encoded
from .naming import unknown_names
from .rows import Rows
from .views import integers

# Shapes: N samples, T tokens, W words.

Cut = Literal["white_space", "punctuation"]  # where a text is cut into words; the second: also around every sign
_WORDS = {"white_space": re.compile(r"\S+"), "punctuation": re.compile(r"\w+|[^\w\s]")}


def check_cut(cut: str) -> None:
    """Raises ValueError if it is no choice."""
    if cut not in get_args(Cut):
        raise ValueError(f"data.words is {' or '.join(get_args(Cut))}, not {cut!r}")


def sentence(rows: Rows, index: int, cut: Cut) -> tuple[str, np.ndarray]:
    """A row's text, and (W, 2) where its words begin and end; words that are given are joined by spaces."""
    if words := rows.value("tokens", index) if "tokens" in rows.fields else []:
        ends = np.cumsum([len(word) + 1 for word in words]) - 1
        return " ".join(words), np.stack([ends - [len(word) for word in words], ends], axis=1)
    text = rows.value("text", index)
    spans = [found.span() for found in _WORDS[cut].finditer(text)]
    return text, np.array(spans, dtype=np.int64).reshape(-1, 2)


class Words:
    """Sentences with a tag for each word, from rows with `tokens` and `tags`, or with a `text`.

    A word of which the tokenizer leaves nothing gets its unknown token.
    """

    def __init__(self, rows: Rows, encoded: Encoded, tokenizer: Tokenizer, labels: Sequence[str], cut: Cut) -> None:
        self.rows, self.encoded, self.cut_at = rows, encoded, cut
        self.unknown = tokenizer.unknown
        self.labels = {name: place for place, name in enumerate(labels)}
        self.lengths = encoded.tokens.lengths
        self.cut = np.zeros(len(rows), dtype=bool)
        self._check_tags(labels)

    def __len__(self) -> int:
        return len(self.rows)

    def sample(self, index: int, key: int = 0) -> TaggedWords:
        text, spans = sentence(self.rows, index, self.cut_at)
        tokens, word = integers(self.encoded.tokens[index]), self._words_of_tokens(index, spans)
        if len(missing := np.setdiff1d(np.arange(len(spans)), word)):
            if self.unknown is None:
                start, end = spans[missing[0]]
                raise ValueError(f"{self.rows.name(index)}: the tokenizer leaves nothing of {text[start:end]!r}")
            places = np.searchsorted(word, missing)
            tokens, word = np.insert(tokens, places, self.unknown), np.insert(word, places, missing)
        tags = [self.labels[tag] for tag in self._tags(index)]
        return {
            "tokens": tokens,
            "starts": np.searchsorted(word, np.arange(len(spans))),
            "offsets": spans,
            "tags": np.array(tags or [-1] * len(spans), dtype=np.int64),
            "sentence": text,
        }

    def _words_of_tokens(self, index: int, spans: np.ndarray) -> np.ndarray:
        """(T,) in ascending order. White space that is a token of its own belongs to the word behind it."""
        ends = np.maximum.accumulate(np.asarray(self.encoded.offsets[index], np.int64)[:, 1])
        words = np.searchsorted(spans[:, 1], np.maximum(ends - 1, 0), side="right")
        return np.minimum(words, len(spans) - 1)

    def _tags(self, index: int) -> list[str]:
        return self.rows.value("tags", index) if "tags" in self.rows.fields else []

    def _check_tags(self, labels: Sequence[str]) -> None:
        """Raises ValueError at tags that are not among the labels."""
        tags = ((index, tag) for index in range(len(self.rows)) for tag in self._tags(index))
        unknown = [(index, tag) for index, tag in tags if tag not in self.labels]
        if unknown:
            raise ValueError(unknown_names(self.rows, unknown, labels))
