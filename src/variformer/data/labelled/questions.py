"""Questions and contexts as tokens, and where in the contexts the answers stand."""

import numpy as np

from ...samples import QuestionExample
from .encoded import Encoded
from .rows import Rows
from .views import integers

# Shapes: N samples, T tokens of a context, A answers.


class Questions:
    """Questions with their whole contexts."""

    def __init__(self, rows: Rows, question: Encoded, context: Encoded) -> None:
        self.rows, self.question, self.context = rows, question, context
        self.lengths = question.tokens.lengths + context.tokens.lengths
        self.cut = np.zeros(len(rows), dtype=bool)

    def __len__(self) -> int:
        return len(self.rows)

    def sample(self, index: int, key: int = 0) -> QuestionExample:
        answers = self.rows.value("answers", index) if "answers" in self.rows.fields else []
        offsets = np.asarray(self.context.offsets[index], dtype=np.int64)
        places = [(answer["start"], answer["start"] + len(answer["text"])) for answer in answers]
        return {
            "question": integers(self.question.tokens[index]),
            "context": integers(self.context.tokens[index]),
            "offsets": offsets,
            "answers": [answer["text"] for answer in answers],
            "spans": spans_of(np.array(places, dtype=np.int64).reshape(-1, 2), offsets),
            "passage": self.rows.value("context", index),
            "id": (self.rows.value("id", index) if "id" in self.rows.fields else "") or self.rows.name(index),
        }


def spans_of(places: np.ndarray, offsets: np.ndarray) -> np.ndarray:
    """(A, 2) characters, (T, 2) characters of each token -> (A, 2) the first and the last token of each answer."""
    ends = np.maximum.accumulate(offsets[:, 1])
    first = np.searchsorted(ends, places[:, 0], side="right")
    last = np.searchsorted(offsets[:, 0], places[:, 1], side="left") - 1
    return np.stack([first, np.maximum(first, last)], axis=1).clip(max=max(len(offsets) - 1, 0))
