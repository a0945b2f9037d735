"""Texts, and pairs of them, as tokens: the views that classification, regression and translation read."""

import numpy as np

from ...ranges import Count
from ...samples import RatedText, SourceAndTarget, TextExample
from .ragged import Ragged
from .rows import Rows

# Shapes: N samples, T tokens of one.


class CutTexts:
    """N texts, or pairs of texts, cut to `length` tokens; of two texts, the longer one is cut first."""

    def __init__(self, text: Ragged, pair: Ragged | None, length: Count) -> None:
        self.text, self.pair, self.length = text, pair, length
        whole = text.lengths if pair is None else text.lengths + pair.lengths
        self.lengths = np.minimum(whole, length)
        self.cut = whole > length  # (N,)

    def __len__(self) -> int:
        return len(self.text)

    def tokens(self, index: int) -> tuple[np.ndarray, np.ndarray | None]:
        """(T,) of the text, and of the second text where there is one."""
        text = self.text[index]
        if self.pair is None:
            return integers(text[: self.length]), None
        pair = self.pair[index]
        if len(text) + len(pair) > self.length:
            least = min(len(text), len(pair), self.length // 2)  # what is left of the shorter one
            most = self.length - least
            text, pair = (text[:least], pair[:most]) if len(text) < len(pair) else (text[:most], pair[:least])
        return integers(text), integers(pair)


class ClassifiedTexts(CutTexts):
    """Texts with a class; `labels`, (N,), are its number, -1 where there is none."""

    def __init__(self, text: Ragged, pair: Ragged | None, length: Count, labels: np.ndarray) -> None:
        super().__init__(text, pair, length)
        self.labels = labels

    def sample(self, index: int, key: int = 0) -> TextExample:
        text, pair = self.tokens(index)
        return {"text": text, "pair": pair, "label": int(self.labels[index])}


class RatedTexts(CutTexts):
    """Texts with a number; `values`, (N,), are nan where there is none."""

    def __init__(self, text: Ragged, pair: Ragged | None, length: Count, values: np.ndarray) -> None:
        super().__init__(text, pair, length)
        self.values = values

    def sample(self, index: int, key: int = 0) -> RatedText:
        text, pair = self.tokens(index)
        return {"text": text, "pair": pair, "value": float(self.values[index])}


class TextPairs:
    """Sources and targets, each cut to a length. Rows without targets have empty ones."""

    def __init__(self, rows: Rows, source: Ragged, target: Ragged | None, source_length: Count, target_length: Count):
        self.rows, self.source, self.target = rows, source, target
        self.source_length, self.target_length = source_length, target_length
        sources = source.lengths
        targets = np.zeros_like(sources) if target is None else target.lengths
        self.lengths = np.minimum(sources, source_length) + np.minimum(targets, target_length)
        self.cut = (sources > source_length) | (targets > target_length)

    def __len__(self) -> int:
        return len(self.source)

    def sample(self, index: int, key: int = 0) -> SourceAndTarget:
        target = np.zeros(0, np.int64) if self.target is None else self.target[index][: self.target_length]
        return {
            "source": integers(self.source[index][: self.source_length]),
            "target": integers(target),
            "reference": "" if self.target is None else self.rows.value("target", index),
        }


def integers(tokens: np.ndarray) -> np.ndarray:
    return np.asarray(tokens, dtype=np.int64)
