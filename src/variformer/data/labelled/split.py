"""One split of labelled examples, and the views that it has."""

from collections.abc import Callable, Iterator, Set
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from ..cache import digest_of
from ..text.tokenizer import Tokenizer
from . import encoded as encoding
from . import naming
from .encoded import Encoded, encoded
from .questions import Questions
from .rows import Rows
from .views import ClassifiedTexts, RatedTexts, TextPairs
from .words import Cut, Words, sentence


class Owner(Protocol):
    """What a split asks of its data set."""

    @property
    def tokenizer(self) -> Tokenizer: ...

    @property
    def labels(self) -> tuple[str, ...]: ...

    words: Cut

    def require(self, *fields: str, reader: object) -> None: ...

    def count_cut(self, split: str, rows: Rows, cut: np.ndarray) -> None: ...


@dataclass
class Examples:
    """The rows of one split. Its views tokenise them once, and keep the tokens in the `folder`; None: nowhere."""

    name: str
    rows: Rows
    owner: Owner
    folder: Path | None = None

    def __len__(self) -> int:
        return len(self.rows)

    @property
    def fields(self) -> Set[str]:
        return self.rows.fields

    def texts(self, length: int) -> ClassifiedTexts:
        """Texts with a class, cut to `length` tokens; of two texts, the longer one is cut first.

        Raises ValueError at labels that are not among those of the data.
        """
        labels = self.owner.labels if "label" in self.fields else ()
        return self._counted(ClassifiedTexts(*self._texts(), length, naming.numbered(self.rows, labels)))

    def rated_texts(self, length: int) -> RatedTexts:
        """Texts with a number, cut likewise. Raises ValueError at a label that is no number."""
        return self._counted(RatedTexts(*self._texts(), length, naming.values(self.rows)))

    def words(self) -> Words:
        """Whole sentences: `tokens` that are given, or else the words of `text`.

        Raises ValueError at tags that are not among the labels of the data.
        """
        if "tokens" not in self.fields:
            self._require("text")
        cut = self.owner.words
        kept = self._encoded(
            ("words", cut), lambda: (sentence(self.rows, index, cut)[0] for index in range(len(self.rows)))
        )
        labels = self.owner.labels if "tags" in self.fields else ()
        return Words(self.rows, kept, self.owner.tokenizer, labels, cut)

    def questions(self) -> Questions:
        """Questions with whole contexts."""
        self._require("question", "context")
        return Questions(self.rows, self._field("question"), self._field("context"))

    def text_pairs(self, source_length: int, target_length: int, prefix: str = "") -> TextPairs:
        """Sources behind the `prefix`, and targets, each cut to its length."""
        self._require("source")
        target = self._field("target").tokens if "target" in self.fields else None
        source = self._field("source", prefix).tokens
        return self._counted(TextPairs(self.rows, source, target, source_length, target_length))

    def _texts(self) -> tuple[Any, Any]:
        self._require("text")
        return self._field("text").tokens, self._field("pair").tokens if "pair" in self.fields else None

    def _field(self, field: str, prefix: str = "") -> Encoded:
        def texts() -> Iterator[str]:
            return (prefix + self.rows.value(field, index) for index in range(len(self.rows)))

        return self._encoded((field, prefix), texts)

    def _encoded(self, what: tuple[str, str], texts: Callable[[], Iterator[str]]) -> Encoded:
        folder = None
        if self.folder is not None:
            key = digest_of(self.name, list(what), self.owner.tokenizer.fingerprint, encoding.VERSION)
            folder = self.folder / key[:32]
        return encoded(texts, self.owner.tokenizer, folder)

    def _require(self, *fields: str) -> None:
        if set(fields) - self.fields:
            self.owner.require(*fields, reader=self)

    def _counted(self, view: Any) -> Any:
        self.owner.count_cut(self.name, self.rows, view.cut)
        return view
