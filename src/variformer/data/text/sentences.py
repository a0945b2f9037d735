"""Whole sentences, one after the other, as many as fit."""

import numpy as np

from ...ranges import Count
from ...samples import SentenceRow
from .tokenised import TokenisedText


class Sentences:
    """Rows of whole sentences that follow each other, at most `length` tokens in each (Liu et al., 2019, section 4.2).

    A row may go on into the next document; the tokenizer's `end` then stands between the two. A sentence longer than a
    row is cut evenly. Each is in exactly one row. A row is {"tokens", "document", "sentence"}, all (length,) int64,
    padded with -1: "document" and "sentence" are the running numbers of each token's document and sentence. An `end`
    has the number of the document behind it, and -1 for its sentence.
    """

    def __init__(self, corpus: TokenisedText, length: Count) -> None:
        if length < 1:
            raise ValueError(f"a row of sentences needs a length of at least 1, not {length}")
        self.corpus, self.length = corpus, length
        self._end: int | None = corpus.tokenizer.end
        self._pieces = cut_sentences(np.asarray(corpus.sentences), length)
        # Places in the whole text with an `end` before each document but the first.
        before = self._documents(self._pieces[:-1]) * (0 if self._end is None else 1)
        starts, ends = self._pieces[:-1] + before, self._pieces[1:] + before
        following = np.searchsorted(ends, starts + length, side="right")
        del before, starts, ends  # each as long as the text has sentences
        rows = [0]
        while rows[-1] < len(following):
            rows.append(int(following[rows[-1]]))
        self._rows = np.array(rows)

    def __len__(self) -> int:
        return len(self._rows) - 1

    def sample(self, index: int, key: int = 0) -> SentenceRow:
        if not 0 <= index < len(self):
            raise IndexError(f"row {index} of {len(self)}")
        first, last = self._rows[index], self._rows[index + 1]
        pieces = self._pieces[first : last + 1]
        lengths = np.diff(pieces)
        sentence = np.repeat(np.arange(first, last), lengths)
        document = np.repeat(self._documents(pieces[:-1]), lengths)
        tokens = self.corpus.tokens[pieces[0] : pieces[-1]].astype(np.int64)
        if self._end is not None:
            new = np.flatnonzero(np.diff(document)) + 1  # where the next document starts
            tokens, sentence = np.insert(tokens, new, self._end), np.insert(sentence, new, -1)
            document = np.insert(document, new, document[new])
        columns = (tokens, document, sentence)
        tokens, document, sentence = (
            np.pad(each, (0, self.length - len(tokens)), constant_values=-1) for each in columns
        )
        return {"tokens": tokens, "document": document, "sentence": sentence}

    def _documents(self, places: np.ndarray) -> np.ndarray:
        """The running number of the document at each place."""
        return np.searchsorted(self.corpus.documents, places, side="right") - 1


def cut_sentences(sentences: np.ndarray, most: int) -> np.ndarray:
    """Offsets of sentences -> offsets of pieces of at most `most` tokens; a sentence is cut evenly."""
    lengths = np.diff(sentences)
    parts = -(-lengths // most)
    owner = np.repeat(np.arange(len(lengths)), parts)
    number = np.arange(len(owner)) - np.repeat(np.cumsum(parts) - parts, parts)
    starts = sentences[:-1][owner] + lengths[owner] * number // parts[owner]
    return np.append(starts, sentences[-1])
